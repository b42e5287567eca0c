// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// Cart is what the examples remember.
type Cart struct{ Items int }

// Chat is what the examples of conversations remember.
type Chat struct{ Messages []string }

func carts(cfg session.Config[Cart]) *session.Manager[Cart] {
	cfg.Name = "carts"
	m, err := session.New(memsession.New(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	return m
}

func Example() {
	ctx := context.Background()
	carts, err := session.New(memsession.New(), session.Config[Cart]{Name: "carts"}) // or redissession.New(client)
	if err != nil {
		log.Fatal(err)
	}
	carts.Start() // removes expired sessions in the background
	defer carts.Stop(ctx)

	s, err := carts.Create(ctx, Cart{}, session.ForSubject("ann"))
	if err != nil {
		log.Fatal(err)
	}
	cookie := s.ID.Token() // the client keeps it

	id, err := session.ParseID(cookie) // from the client's next request
	if err != nil {
		log.Fatal(err)
	}
	s, err = carts.Update(ctx, id, func(c *Cart) error { c.Items++; return nil })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Subject, s.Data.Items)
	// Output: ann 1
}

func ExampleNew() {
	_, err := session.New(memsession.New(), session.Config[Cart]{IdleTimeout: 2 * time.Hour, AbsoluteTimeout: time.Hour})
	fmt.Println(err)
	// Output:
	// session: Config.Name is "", want 1 to 128 bytes of UTF-8 without spaces, control characters or braces
	// session: Config.IdleTimeout is 2h0m0s, want at most AbsoluteTimeout (1h0m0s), or it never takes effect
}

func ExampleManager_Create() {
	m := carts(session.Config[Cart]{})
	s, err := m.Create(context.Background(), Cart{Items: 2})
	fmt.Println(len(s.ID.Token()), s.Data.Items, s.ExpiresAt.Sub(s.CreatedAt), err)
	// Output: 43 2 30m0s <nil>
}

func ExampleManager_Get() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{Items: 2})
	got, err := m.Get(ctx, s.ID)
	fmt.Println(got.Data.Items, err)

	_ = m.Delete(ctx, s.ID)
	_, err = m.Get(ctx, s.ID)
	fmt.Println(errors.Is(err, session.ErrNotFound))
	// Output:
	// 2 <nil>
	// true
}

func ExampleManager_Peek() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{Items: 2})
	got, err := m.Peek(ctx, s.ID) // an administrator looks, and keeps no one logged in by it
	fmt.Println(got.Data.Items, got.LastActivity.Equal(s.LastActivity), err)
	// Output: 2 true <nil>
}

func ExampleManager_Touch() {
	ctx, m := context.Background(), carts(session.Config[Cart]{TouchEvery: -1})
	s, _ := m.Create(ctx, Cart{})
	expires, err := m.Touch(ctx, s.ID)
	fmt.Println(!expires.Before(s.ExpiresAt), err)
	// Output: true <nil>
}

func ExampleManager_Save() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{Items: 1})
	slow, _ := m.Get(ctx, s.ID)

	s.Data.Items = 5
	fmt.Println(m.Save(ctx, s))

	slow.Data.Items = 2
	err := m.Save(ctx, slow)
	if conflict, ok := errors.AsType[*session.ConflictError[Cart]](err); ok {
		fmt.Println("another request saved", conflict.Current.Data.Items)
	}
	// Output:
	// <nil>
	// another request saved 5
}

func ExampleManager_Update() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{Items: 1})
	s, err := m.Update(ctx, s.ID, func(c *Cart) error { c.Items++; return nil })
	fmt.Println(s.Data.Items, err)
	// Output: 2 <nil>
}

func ExampleManager_Open() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	conversation := session.Conversation{Channel: "whatsapp", Peer: "+34 600 000 000"}
	for range 2 {
		s, created, err := m.Open(ctx, conversation, Cart{Items: 1})
		fmt.Println(s.Data.Items, created, err)
	}
	// Output:
	// 1 true <nil>
	// 1 false <nil>
}

func ExampleManager_Exclusive() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{})
	err := m.Exclusive(ctx, s.ID, func(ctx context.Context, s *session.Session[Cart]) error {
		s.Data.Items = 3 // no one else changes it meanwhile; stop when ctx ends
		return nil
	})
	s, _ = m.Get(ctx, s.ID)
	fmt.Println(s.Data.Items, err)
	// Output: 3 <nil>
}

func ExampleManager_Converse() {
	ctx := context.Background()
	chats, err := session.New(memsession.New(), session.Config[Chat]{Name: "chats"})
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"hello", "two nights, please"} {
		guest := session.Conversation{Channel: "sms", Peer: "+34 600 000 000"}
		err := chats.Converse(ctx, guest, Chat{}, func(_ context.Context, s *session.Session[Chat]) error {
			s.Data.Messages = append(s.Data.Messages, text)
			return nil
		})
		if err != nil {
			log.Fatal(err)
		}
		s, err := chats.Peek(ctx, guest.ID())
		fmt.Println(s.Data.Messages, err)
	}
	// Output:
	// [hello] <nil>
	// [hello two nights, please] <nil>
}

func ExampleManager_Bind() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{Items: 1}) // a visitor
	before := s.ID

	err := m.Bind(ctx, s, "ann") // who logs in
	old, _ := m.Get(ctx, before) // a request that is under way still sees the visitor
	fmt.Println(err, s.Subject, s.Data.Items, s.ID != before, old.Subject == "")
	// Output: <nil> ann 1 true true
}

func ExampleLifetime() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{Items: 1})

	remember := session.Lifetime(30*24*time.Hour, 90*24*time.Hour) // the box was ticked
	err := m.Bind(ctx, s, "ann", remember)
	fmt.Println(err, s.ExpiresAt.Sub(s.CreatedAt))
	// Output: <nil> 720h0m0s
}

func ExampleSealed() {
	ctx, key, old := context.Background(), make([]byte, 32), make([]byte, 32)
	rand.Read(key) // keep it where the program's other secrets are
	rand.Read(old)

	m := carts(session.Config[Cart]{Codec: session.Sealed(session.JSON{}, key, old)})
	s, err := m.Create(ctx, Cart{Items: 1}, session.ForSubject("ann"))
	fmt.Println(s.Subject, err)
	// Output: ann <nil>
}

func ExampleManager_Rotate() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{})
	before := s.ID
	fmt.Println(m.Rotate(ctx, s), s.ID != before)
	// Output: <nil> true
}

func ExampleManager_Delete() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	s, _ := m.Create(ctx, Cart{})
	fmt.Println(m.Delete(ctx, s.ID), m.Delete(ctx, s.ID))
	// Output: <nil> <nil>
}

func ExampleManager_DeleteSubject() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	here, _ := m.Create(ctx, Cart{}, session.ForSubject("ann"))
	_, _ = m.Create(ctx, Cart{}, session.ForSubject("ann"))
	n, err := m.DeleteSubject(ctx, "ann", here.ID) // log out everywhere else
	fmt.Println(n, err)
	// Output: 1 <nil>
}

func ExampleManager_BySubject() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	for i := range 2 {
		_, _ = m.Create(ctx, Cart{Items: i + 1}, session.ForSubject("ann"))
	}
	items := 0
	for s, err := range m.BySubject(ctx, "ann") {
		if err != nil {
			log.Fatal(err)
		}
		items += s.Data.Items
	}
	fmt.Println(items)
	// Output: 3
}

func ExampleManager_Count() {
	ctx, m := context.Background(), carts(session.Config[Cart]{})
	for range 3 {
		_, _ = m.Create(ctx, Cart{})
	}
	fmt.Println(m.Count(ctx))
	// Output: 3 <nil>
}

func ExampleManager_Sweep() {
	ctx := context.Background()
	m := carts(session.Config[Cart]{
		IdleTimeout: 2 * time.Millisecond,
		OnExpire: func(_ context.Context, e session.Expired[Cart]) error {
			fmt.Println("abandoned:", e.Data.Items, "items,", e.Reason)
			return nil
		},
	})
	_, _ = m.Create(ctx, Cart{Items: 2})
	time.Sleep(5 * time.Millisecond) // an example has no virtual time: the session has to expire for real
	r, err := m.Sweep(ctx)
	fmt.Println(r.Ended[session.ReasonIdle], r.Active, r.Complete, err)
	// Output:
	// abandoned: 2 items, idle
	// 1 0 true <nil>
}

func ExampleManager_Run() {
	ctx, cancel := context.WithCancel(context.Background())
	m := carts(session.Config[Cart]{CleanupInterval: time.Minute})
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	cancel() // the service ends
	fmt.Println(<-done)
	// Output: <nil>
}

func ExampleManager_Start() {
	ctx, m := context.Background(), carts(session.Config[Cart]{CleanupInterval: time.Minute})
	m.Start()
	fmt.Println(m.Stats().Running)
	fmt.Println(m.Stop(ctx), m.Stats().Running)
	// Output:
	// true
	// <nil> false
}

func ExampleParseID() {
	id, err := session.ParseID("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	fmt.Println(id, err) // printing an id reveals nothing
	_, err = session.ParseID("admin")
	fmt.Println(err)
	// Output:
	// session:38fb595e <nil>
	// session: invalid: a token has 43 characters, not 5
}

func ExampleConversation() {
	conversation := session.Conversation{Channel: "sms", Peer: "+34 600 000 000"}
	fmt.Printf("%q\n", conversation.ID().Token()) // there is nothing to hand out, and nothing to forge
	// Output: ""
}

type printer struct{}

func (printer) ObserveSession(_ context.Context, e session.Event) { fmt.Println(e.Op, e.Result) }

func ExampleObservers() {
	m := carts(session.Config[Cart]{Observer: session.Observers(printer{}, nil)})
	_, _ = m.Peek(context.Background(), session.Conversation{Channel: "sms", Peer: "1"}.ID())
	// Output:
	// new success
	// peek not_found
}
