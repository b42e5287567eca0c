// SPDX-License-Identifier: MIT

package lock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func TestEachContradictionInAConfigIsNamed(t *testing.T) {
	for _, c := range []struct {
		field string
		cfg   lock.Config
	}{
		{"Name", lock.Config{}},
		{"Name", lock.Config{Name: "two words"}},
		{"Name", lock.Config{Name: "{tag}"}},
		{"Name", lock.Config{Name: "nul\x00"}},
		{"Name", lock.Config{Name: "zimmer-ä"}},
		{"Name", lock.Config{Name: strings.Repeat("x", 129)}},
		{"TTL", lock.Config{Name: "a", TTL: -1}},
		{"TTL", lock.Config{Name: "a", TTL: time.Millisecond - 1}},
		{"TTL", lock.Config{Name: "a", TTL: 1 << 62}},
		{"MaxHold", lock.Config{Name: "a", MaxHold: 1}},
		{"MaxHold", lock.Config{Name: "a", MaxHold: 1 << 62}},
		{"MaxHold", lock.Config{Name: "a", TTL: time.Minute, MaxHold: time.Second}},
		{"Holder", lock.Config{Name: "a", Holder: "\xff"}},
		{"Holder", lock.Config{Name: "a", Holder: strings.Repeat("x", 256)}},
		{"AuditTimeout", lock.Config{Name: "a", AuditTimeout: -1}},
		{"AuditRequired", lock.Config{Name: "a", AuditRequired: true}},
	} {
		_, err := lock.New(memlock.New(), c.cfg)
		problem, ok := errors.AsType[*lock.ConfigError](err)
		if !ok || problem.Field != c.field || !errors.Is(err, lock.ErrInvalid) {
			t.Errorf("New(%+v) = %v, want a ConfigError of %s", c.cfg, err, c.field)
		}
	}
}

func TestAllContradictionsComeInOneError(t *testing.T) {
	_, err := lock.New(nil, lock.Config{TTL: 1, MaxHold: 1, Holder: "\x00", AuditTimeout: -1, AuditRequired: true})
	wantErr(t, err, lock.ErrInvalid)
	for _, part := range []string{"New needs a store", "Config.Name", "Config.TTL", "Config.MaxHold", "Config.Holder", "Config.AuditTimeout", "Config.AuditRequired"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not name %s:\n%v", part, err)
		}
	}
}

func TestZeroAndNegativeConfigFieldsAreDefaultsOrOff(t *testing.T) {
	d := newDesk(t, lock.Config{MaxHold: -1, MaxExtensions: -1})
	l := d.take(t, lock.Key("room"))
	if left := time.Until(l.Deadline()); left > 30*time.Second || left < 25*time.Second {
		t.Errorf("%s to the deadline, want about 30s", left)
	}
	for range 20 {
		wantErr(t, l.Extend(t.Context(), time.Hour))
	}
	short := newDesk(t, lock.Config{MaxHold: time.Second})
	if left := time.Until(short.take(t, lock.Key("room")).Deadline()); left > time.Second {
		t.Errorf("%s to the deadline, want no more than MaxHold", left)
	}
}

func TestNewDoesNoIO(t *testing.T) {
	d := newDesk(t, lock.Config{})
	if n := d.store.calls.Load(); n != 0 {
		t.Errorf("New called the store %d times", n)
	}
	if e := d.seen.last(); e.Op != lock.OpNew || e.Source.Name() != "rooms" || e.Source.Stats() != (lock.Stats{}) {
		t.Errorf("the first event is %+v, want created with its source", e)
	}
}
