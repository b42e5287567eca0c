// SPDX-License-Identifier: MIT

package circuitbreaker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// findRoom stands for a client of a system that is down.
func findRoom(context.Context) (string, error) { return "", errors.New("connection refused") }

func Example() {
	var client pmsClient
	cached := func(string) (string, error) { return "room 101, as of yesterday", nil }
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms"})
	if err != nil {
		log.Fatal(err)
	}
	room, err := circuitbreaker.Do(ctx, pms, func(ctx context.Context) (string, error) {
		return client.FindRoom(ctx, "garden view")
	})
	if errors.Is(err, circuitbreaker.ErrOpen) {
		room, err = cached("garden view") // the PMS was not called
	}
	fmt.Println(room, err)
	// Output: room 101 <nil>
}

// pmsClient is a client of a system that is well.
type pmsClient struct{}

func (pmsClient) FindRoom(context.Context, string) (string, error) { return "room 101", nil }

func ExampleNew() {
	_, err := circuitbreaker.New(circuitbreaker.Config{FailureRate: 50, SlowRate: 0.5})
	fmt.Println(err)
	// Output:
	// circuitbreaker: Config.Name is "", want valid UTF-8 without NUL, not empty
	// circuitbreaker: Config.FailureRate is 50, want a share, above 0 and at most 1
	// circuitbreaker: Config.SlowCall is 0s, want more than 0, because SlowRate is set
}

func ExampleDo() {
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 2})
	if err != nil {
		panic(err)
	}
	for range 3 {
		room, err := circuitbreaker.Do(context.Background(), pms, findRoom)
		fmt.Printf("%q, %v\n", room, err)
	}
	fmt.Println(pms.State())
	// Output:
	// "", connection refused
	// "", connection refused
	// "", circuitbreaker: pms is open (too_many_in_a_row): connection refused
	// open
}

// A call that returns no error may still be bad. To count it, fn returns an error
// of its own, which carries what the caller needs.
func ExampleDo_badResult() {
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 2})
	if err != nil {
		panic(err)
	}
	for range 2 {
		rooms, err := circuitbreaker.Do(context.Background(), pms, func(context.Context) (int, error) {
			const rooms = 0 // a hotel without any rooms: the system is being restored
			if rooms == 0 {
				return rooms, errors.New("the PMS knows no rooms")
			}
			return rooms, nil
		})
		fmt.Println(rooms, err, pms.State())
	}
	// Output:
	// 0 the PMS knows no rooms closed
	// 0 the PMS knows no rooms open
}

func ExampleDoOr() {
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 1})
	if err != nil {
		panic(err)
	}
	fromCache := func(_ context.Context, err error) (string, error) {
		return fmt.Sprintf("room 101 from the cache (PMS asked: %v)", !errors.Is(err, circuitbreaker.ErrOpen)), nil
	}
	for range 2 {
		room, err := circuitbreaker.DoOr(context.Background(), pms, findRoom, fromCache)
		fmt.Println(room, err)
	}
	// Output:
	// room 101 from the cache (PMS asked: true) <nil>
	// room 101 from the cache (PMS asked: false) <nil>
}

func ExampleBreaker_Do() {
	mail, err := circuitbreaker.New(circuitbreaker.Config{Name: "mail", ConsecutiveFailures: 1})
	if err != nil {
		panic(err)
	}
	badAddress := errors.New("no such address")
	err = mail.Do(context.Background(), func(context.Context) error {
		return circuitbreaker.Ignore(badAddress) // the guest's fault, not the mail server's
	})
	fmt.Println(errors.Is(err, badAddress), mail.State())
	// Output: true closed
}

// Allow is for calls that do not end in the function that begins them.
func ExampleBreaker_Allow() {
	feed, err := circuitbreaker.New(circuitbreaker.Config{Name: "feed", ConsecutiveFailures: 1})
	if err != nil {
		panic(err)
	}
	permit, err := feed.Allow()
	if err != nil {
		fmt.Println("not now:", err)
		return
	}
	permit.Done(context.Background(), errors.New("stream broke"))

	_, err = feed.Allow()
	rejected, _ := errors.AsType[*circuitbreaker.OpenError](err)
	fmt.Println(rejected.Reason, rejected.Cause, rejected.RetryAfter() > time.Second)
	// Output: too_many_in_a_row stream broke true
}

func ExampleBreaker_Stats() {
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms"})
	if err != nil {
		panic(err)
	}
	for range 3 {
		circuitbreaker.Do(context.Background(), pms, findRoom)
	}
	pms.Reset()
	s := pms.Stats()
	fmt.Println(s.State, "window", s.Window.Failure, "total", s.Total.Failure)
	// Output: closed window 0 total 3
}

type printer struct{}

func (printer) ObserveBreaker(_ context.Context, e circuitbreaker.Event) {
	if e.Op == circuitbreaker.OpChanged {
		fmt.Println(e.Source.Name(), e.From, "to", e.To, "because", e.Reason)
	}
}

func ExampleObserver() {
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: circuitbreaker.Observers(printer{})})
	if err != nil {
		panic(err)
	}
	pms.ForceOpen(errors.New("maintenance"))
	pms.Reset()
	// Output:
	// pms closed to forced_open because by_hand
	// pms forced_open to closed because by_hand
}

// A configuration read from a file may be changed while calls go on.
func ExampleBreaker_Update() {
	var cfg circuitbreaker.Config
	if err := json.Unmarshal([]byte(`{"name": "pms", "consecutiveFailures": 3, "openFor": {"base": "2s"}}`), &cfg); err != nil {
		panic(err)
	}
	pms, err := circuitbreaker.New(cfg)
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal([]byte(`{"consecutiveFailures": 1}`), &cfg); err != nil {
		panic(err)
	}
	fmt.Println(pms.Update(cfg))
	fmt.Println(json.Unmarshal([]byte(`{"openFor": {"base": 2}}`), &cfg))
	circuitbreaker.Do(context.Background(), pms, findRoom)
	fmt.Println(pms.State())
	// Output:
	// <nil>
	// circuitbreaker: Config.openFor.base is "2", want a duration such as "2s"
	// open
}

func ExampleGroup() {
	hosts, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{
		Breaker: circuitbreaker.Config{Name: "hosts", ConsecutiveFailures: 1},
		Max:     100,
	})
	if err != nil {
		panic(err)
	}
	circuitbreaker.Do(context.Background(), hosts.Get("pms.example"), findRoom)
	fmt.Println(hosts.Get("pms.example").State(), hosts.Get("mail.example").State())
	hosts.Remove("pms.example") // as do hosts that are idle, where there is no room
	fmt.Println(hosts.Get("pms.example").State())
	// Output:
	// open closed
	// closed
}
