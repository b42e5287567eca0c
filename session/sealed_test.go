// SPDX-License-Identifier: MIT

package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// key is a key of one repeated byte.
func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func sealing(keys ...[]byte) config { return config{Codec: session.Sealed(session.JSON{}, keys...)} }

func TestSealedRecordsShowNothingOfWhatTheyContain(t *testing.T) {
	store := newStage()
	m := newManager(t, store, sealing(key(1)))
	s := create(t, m, 7, session.ForSubject("ann-the-subject"))
	s.Data.Notes = map[string]string{"card": card}
	if err := m.Save(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	guest := session.Conversation{Channel: "the-channel", Peer: "+34 600 000 000"}
	if _, _, err := m.Open(t.Context(), guest, cart{Items: 8}); err != nil {
		t.Fatal(err)
	}
	if err := m.Rotate(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for _, w := range store.writes {
		for _, secret := range []string{"ann-the-subject", card, "the-channel", "+34 600", "Items", "Notes"} {
			if bytes.Contains(w.Payload, []byte(secret)) {
				t.Errorf("a record shows %q", secret)
			}
		}
	}
	got, err := m.Get(t.Context(), s.ID)
	if err != nil || got.Data.Notes["card"] != card || got.Subject != "ann-the-subject" {
		t.Errorf("read %+v, %v", got, err)
	}
	if got, err := m.Get(t.Context(), guest.ID()); err != nil || got.Data.Items != 8 || got.Conversation != guest {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestEachWriteIsEncryptedAnew(t *testing.T) {
	store := newStage()
	m := newManager(t, store, sealing(key(1)))
	s := create(t, m, 7)
	_ = m.Save(t.Context(), s)
	if a, b := store.writes[0].Payload, store.writes[1].Payload; len(a) != len(b) || bytes.Equal(a[21:33], b[21:33]) || bytes.Equal(a[33:], b[33:]) {
		t.Errorf("two writes of the same data are %x and %x, want another nonce and other bytes", a, b)
	}
}

func TestKeysRotate(t *testing.T) {
	store := newStage()
	old, both := newManager(t, store, sealing(key(1))), newManager(t, store, sealing(key(2), key(1)))
	s := create(t, old, 7)
	got, err := both.Get(t.Context(), s.ID)
	if err != nil || got.Data.Items != 7 {
		t.Fatalf("with the old key behind: %+v, %v", got, err)
	}
	if err := both.Save(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if got, err := newManager(t, store, sealing(key(2))).Get(t.Context(), s.ID); err != nil || got.Data.Items != 7 {
		t.Errorf("after a save only the new key is needed, but: %+v, %v", got, err)
	}
	_, err = old.Get(t.Context(), s.ID)
	if corrupt, ok := errors.AsType[*session.CorruptError](err); !ok || corrupt.Reason != session.ReasonUndecodable {
		t.Errorf("without the key: %v, want undecodable", err)
	}
	if _, err := both.Get(t.Context(), s.ID); err != nil {
		t.Errorf("a read without the key has harmed the session: %v", err)
	}
}

// swap is a store whose reads get the payload of another record.
type swap struct {
	*stage
	change func(session.StoreRecord) []byte
}

func (s swap) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	r, err := s.stage.Load(ctx, l)
	if r.Status == session.StatusDone {
		r.Record.Payload = s.change(r.Record)
	}
	return r, err
}

func TestSealedBytesCannotBeChangedOrMoved(t *testing.T) {
	for name, change := range map[string]func(mine, other []byte) []byte{
		"another session's": func(_, other []byte) []byte { return other },
		"another session's random": func(mine, other []byte) []byte {
			return append(append(bytes.Clone(mine[:1]), other[1:17]...), mine[17:]...)
		},
		"a byte of the key's id": func(mine, _ []byte) []byte { mine[17] ^= 1; return mine },
		"a byte of the nonce":    func(mine, _ []byte) []byte { mine[21] ^= 1; return mine },
		"a byte of the data":     func(mine, _ []byte) []byte { mine[40] ^= 1; return mine },
		"the format":             func(mine, _ []byte) []byte { mine[0] = 1; return mine },
		"cut":                    func(mine, _ []byte) []byte { return mine[:20] },
		"in clear":               func([]byte, []byte) []byte { return []byte("\x01\x00\x03eve\x00\x00{}") },
	} {
		store := newStage()
		cfg := sealing(key(1))
		m := newManager(t, store, cfg)
		s := create(t, m, 1, session.ForSubject("eve"))
		create(t, m, 2, session.ForSubject("ann"))
		reader := newManager(t, swap{store, func(r session.StoreRecord) []byte { return change(r.Payload, bytes.Clone(store.writes[1].Payload)) }}, cfg)
		got, err := reader.Get(t.Context(), s.ID)
		if corrupt, ok := errors.AsType[*session.CorruptError](err); !ok || corrupt.Reason != session.ReasonUndecodable {
			t.Errorf("%s: read %+v, %v; want undecodable", name, got, err)
		}
	}
}

func TestSealedBytesAreOfOneName(t *testing.T) {
	store := newStage()
	cfg := sealing(key(1))
	s := create(t, newManager(t, store, cfg), 1)
	cfg.Name = "others"
	other := newManager(t, store, cfg)
	o := create(t, other, 2)
	reader := newManager(t, swap{store, func(session.StoreRecord) []byte { return bytes.Clone(store.writes[0].Payload) }}, cfg)
	if got, err := reader.Get(t.Context(), o.ID); err == nil {
		t.Errorf("the session %v of another name is read as %+v", s.ID, got)
	}
}

func TestASealedSessionStaysReadableWhereverItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var expired []session.Expired[cart]
		store := newStage()
		cfg := sealing(key(1))
		cfg.OnExpire = func(_ context.Context, e session.Expired[cart]) error { expired = append(expired, e); return nil }
		m := newManager(t, store, cfg)
		s := create(t, m, 7)
		old := s.ID
		if err := errors.Join(m.Bind(t.Context(), s, "ann"), m.Rotate(t.Context(), s), m.Save(t.Context(), s)); err != nil {
			t.Fatal(err)
		}
		for listed, err := range m.BySubject(t.Context(), "ann") {
			if err != nil || listed.Data.Items != 7 || m.Save(t.Context(), listed) != nil {
				t.Errorf("listed %+v, %v", listed, err)
			}
		}
		if _, err := m.Update(t.Context(), s.ID, func(c *cart) error { c.Items++; return nil }); err != nil || old == s.ID {
			t.Error(err)
		}
		random := store.writes[0].Payload[1:17]
		for i, w := range store.writes {
			if !bytes.Equal(w.Payload[1:17], random) {
				t.Errorf("write %d has another random", i)
			}
		}
		time.Sleep(11 * time.Minute)
		sweep(t, m)
		if len(expired) != 1 || expired[0].Data.Items != 8 || expired[0].Subject != "ann" {
			t.Errorf("expired as %+v", expired)
		}
	})
}

func TestSealedReadsEarlierVersions(t *testing.T) {
	store := memsession.New()
	old := managerOf(t, store, session.Config[list]{Codec: session.Sealed(session.JSON{}, key(1))})
	s, _ := old.Create(t.Context(), list{Entries: []string{"room"}})
	got, err := managerOf(t, store, config{Version: 1, Upgrade: upgrade, Codec: session.Sealed(session.JSON{}, key(1))}).Get(t.Context(), s.ID)
	if err != nil || got.Data.Items != 1 {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestNewRefusesASealedThatWouldProtectNothing(t *testing.T) {
	for name, codec := range map[string]session.Codec{
		"no key":           session.Sealed(session.JSON{}),
		"a short key":      session.Sealed(session.JSON{}, key(1)[1:]),
		"a short old key":  session.Sealed(session.JSON{}, key(1), nil),
		"no codec":         session.Sealed(nil, key(1)),
		"a nil codec":      session.Sealed((*session.JSON)(nil), key(1)),
		"Sealed in Sealed": session.Sealed(session.Sealed(session.JSON{}, key(1)), key(1)),
	} {
		_, err := session.New(memsession.New(), config{Name: "x", Codec: codec})
		if problem, ok := errors.AsType[*session.ConfigError](err); !ok || problem.Field != "Codec" {
			t.Errorf("%s: %v, want a ConfigError for Codec", name, err)
		}
	}
	_, err := session.New(memsession.New(), session.Config[struct{ total int }]{Name: "x", Codec: session.Sealed(session.JSON{}, key(1))})
	if _, ok := errors.AsType[*session.ConfigError](err); !ok {
		t.Errorf("a type of which JSON loses a field: %v", err)
	}
	hidden := struct{ session.Codec }{session.Sealed(session.JSON{}, key(1))}
	if _, err := newManager(t, memsession.New(), config{Codec: hidden}).Create(t.Context(), cart{}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("hidden by another codec: %v, want ErrInvalid instead of plain text", err)
	}
}

func TestKeysOfSealedAreNotPrinted(t *testing.T) {
	secret := []byte("a key that is thirty-two bytes!!")
	codec := session.Sealed(session.JSON{}, secret)
	cfg := config{Name: "x", Codec: codec}
	m := newManager(t, memsession.New(), config{Codec: codec, IndexKey: secret})
	hidden := struct {
		codec   session.Codec
		manager *manager
	}{codec, m}
	var all string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb+verb+verb+verb, codec, cfg, hidden, m)
	}
	for _, shown := range []string{string(secret[:8]), fmt.Sprintf("%x", secret[:8]), strings.Trim(fmt.Sprint(secret[:8]), "[]"), strings.Trim(fmt.Sprintf("%#v", secret[:8]), "[]byte{}")} {
		if strings.Contains(all, shown) {
			t.Errorf("the key shows as %q", shown)
		}
	}
	for i := range secret {
		secret[i] = 0 // the caller may erase it
	}
	store := memsession.New()
	s := create(t, newManager(t, store, cfg), 7)
	if _, err := newManager(t, store, config{Name: "x", Codec: session.Sealed(session.JSON{}, []byte("a key that is thirty-two bytes!!"))}).Get(t.Context(), s.ID); err != nil {
		t.Errorf("changing the caller's copy of a key has changed the key: %v", err)
	}
}

// inPlace is a codec that decrypts in the memory that it is given.
type inPlace struct{ session.JSON }

func (c inPlace) Encode(v any) ([]byte, error) {
	b, err := c.JSON.Encode(v)
	for i := range b {
		b[i] ^= 0x55
	}
	return b, err
}

func (c inPlace) Decode(b []byte, v any) error {
	for i := range b {
		b[i] ^= 0x55
	}
	return c.JSON.Decode(b, v)
}

func TestACodecThatDecodesInPlaceStoresWhatItEncoded(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{Codec: inPlace{}})
	s := create(t, m, 7)
	_, _, _ = m.Open(t.Context(), chat, cart{Items: 8})
	if _, err := m.Update(t.Context(), s.ID, func(c *cart) error { c.Items++; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, w := range store.writes {
		if bytes.Contains(w.Payload, []byte("Items")) {
			t.Errorf("plain text was stored: %q", w.Payload)
		}
	}
	if got, err := m.Get(t.Context(), s.ID); err != nil || got.Data.Items != 8 {
		t.Errorf("read %+v, %v", got, err)
	}
}
