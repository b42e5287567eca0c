// SPDX-License-Identifier: MIT

package session_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// list is what cart was before version 1.
type list struct{ Entries []string }

func upgrade(from int, data []byte) (cart, error) {
	var old list
	err := json.Unmarshal(data, &old)
	return cart{Items: len(old.Entries) + 100*from}, err
}

func managerOf[T any](t *testing.T, store session.Store, cfg session.Config[T]) *session.Manager[T] {
	t.Helper()
	cfg.Name = "carts"
	m, err := session.New(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUpgradeReadsWhatAnEarlierVersionWrote(t *testing.T) {
	store := memsession.New()
	old := managerOf(t, store, session.Config[list]{Version: 1})
	new := managerOf(t, store, config{Version: 2, Upgrade: upgrade})
	s, err := old.Create(t.Context(), list{Entries: []string{"room", "bed"}}, session.ForSubject("ann"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := new.Get(t.Context(), s.ID)
	if err != nil || got.Data.Items != 102 || got.Subject != "ann" {
		t.Fatalf("the later version reads %+v, %v, want two items of version 1", got, err)
	}
	if _, err := old.Get(t.Context(), s.ID); err != nil {
		t.Errorf("reading by the later version kept the earlier one from reading: %v", err)
	}
	if err := new.Save(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if again, err := new.Get(t.Context(), s.ID); err != nil || again.Data.Items != 102 {
		t.Errorf("after its save the later version reads %+v, %v", again, err)
	}
	corrupt, ok := errors.AsType[*session.CorruptError](old.Save(t.Context(), s))
	if !ok || corrupt.Reason != session.ReasonUndecodable {
		t.Errorf("a save by the earlier version over the later one: %v, want undecodable", corrupt)
	}
}

func TestAnUpgradeThatFailsLeavesTheSession(t *testing.T) {
	store := memsession.New()
	old := managerOf(t, store, session.Config[list]{})
	s, _ := old.Create(t.Context(), list{Entries: []string{"room"}})
	for name, fail := range map[string]func(int, []byte) (cart, error){
		"error": func(int, []byte) (cart, error) { return cart{}, errors.New("no") },
		"panic": func(int, []byte) (cart, error) { panic("no") },
	} {
		_, err := managerOf(t, store, config{Version: 1, Upgrade: fail}).Get(t.Context(), s.ID)
		if corrupt, ok := errors.AsType[*session.CorruptError](err); !ok || corrupt.Reason != session.ReasonUndecodable {
			t.Errorf("%s: %v, want undecodable", name, err)
		}
	}
	if got, err := old.Get(t.Context(), s.ID); err != nil || len(got.Data.Entries) != 1 {
		t.Errorf("afterwards it is %+v, %v", got, err)
	}
}

func TestWithoutUpgradeTheCodecReadsEarlierVersions(t *testing.T) {
	store := memsession.New()
	s := create(t, newManager(t, store, config{}), 7)
	if got, err := newManager(t, store, config{Version: 1}).Get(t.Context(), s.ID); err != nil || got.Data.Items != 7 {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestTwoTypesUnderOneNameAreFoundByTheFirstWrite(t *testing.T) {
	store := memsession.New()
	carts := managerOf(t, store, config{})
	lists := managerOf(t, store, session.Config[list]{})
	if _, err := carts.Create(t.Context(), cart{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := lists.Create(t.Context(), list{}); !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), "session_test.list") {
			t.Errorf("a write of another type: %v, want ErrInvalid that names both", err)
		}
	}
	if _, err := carts.Create(t.Context(), cart{}); err != nil {
		t.Errorf("the first type: %v", err)
	}
	if _, err := managerOf(t, memsession.New(), session.Config[list]{}).Create(t.Context(), list{}); err != nil {
		t.Errorf("another store: %v", err)
	}
	if _, err := managerOf(t, session.Store(uncomparable{Store: store}), session.Config[list]{}).Create(t.Context(), list{}); err != nil {
		t.Errorf("a store that cannot be compared: %v", err)
	}
}

type uncomparable struct {
	session.Store
	_ []int
}

type embedded struct{ Name string }

func TestNewRefusesATypeOfWhichJSONWouldLoseAField(t *testing.T) {
	refused := func(err error) string {
		problem, ok := errors.AsType[*session.ConfigError](err)
		if !ok {
			return ""
		}
		return problem.Error()
	}
	newOf := func(t *testing.T, err error, field string) {
		t.Helper()
		if got := refused(err); (field == "") != (got == "") || !strings.Contains(got, field) {
			t.Errorf("%v, want a ConfigError that names %q", err, field)
		}
	}
	cfg := "x"
	_, err := session.New(memsession.New(), session.Config[struct{ total int }]{Name: cfg})
	newOf(t, err, "total")
	_, err = session.New(memsession.New(), session.Config[*[]map[string]struct{ Deep struct{ total int } }]{Name: cfg})
	newOf(t, err, "total")
	_, err = session.New(memsession.New(), session.Config[struct {
		total int `json:"-"`
		embedded
		At    time.Time
		Inner *node
	}]{Name: cfg})
	newOf(t, err, "")
	_, err = session.New(memsession.New(), session.Config[struct{ mu sync.Mutex }]{Name: cfg})
	newOf(t, err, "mu")
	_, err = session.New(memsession.New(), session.Config[struct{ total int }]{Name: cfg, Codec: binaryCodec{}})
	newOf(t, err, "")
}

// node refers to itself.
type node struct{ Next *node }
