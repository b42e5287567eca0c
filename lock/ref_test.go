// SPDX-License-Identifier: MIT

package lock_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// tokenOf reads the secret of a Ref from its JSON.
func tokenOf(t *testing.T, ref lock.Ref) string {
	t.Helper()
	text, err := json.Marshal(ref)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return fields["secret"].(string)
}

func TestADetachedLeaseIsResumedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: time.Minute})
		expiry := time.Now().Add(time.Minute)
		l := d.take(t, nights("room", 12, 15), lock.Holder("ada"))
		ref := l.Detach()
		wantErr(t, l.Err(), lock.ErrReleased)
		wantErr(t, l.Release(t.Context()))
		wantErr(t, d.Close(t.Context()))

		text, err := json.Marshal(map[string]lock.Ref{"hold": ref})
		wantErr(t, err)
		var stored map[string]lock.Ref
		wantErr(t, json.Unmarshal(text, &stored))
		time.Sleep(20 * time.Second)

		there := newDesk(t, lock.Config{TTL: time.Minute}, d.store)
		again, err := there.Resume(t.Context(), stored["hold"])
		wantErr(t, err)
		if again.ID() != l.ID() || again.Fence() <= l.Fence() || again.Resource().String() != l.Resource().String() || !again.Deadline().Before(expiry) {
			t.Errorf("resumed %v, fence %d, until %s; detached %v, fence %d, until %s", again, again.Fence(), again.Deadline(), l, l.Fence(), l.Deadline())
		}
		if e := there.seen.last(); e.Op != lock.OpResume || e.Holder != "ada" || e.Fence != again.Fence() {
			t.Errorf("observed %+v", e)
		}
		wantErr(t, again.Extend(t.Context(), 0))
		wantErr(t, again.Release(t.Context()))
		_, err = there.Resume(t.Context(), ref)
		wantErr(t, err, lock.ErrNotHeld)
	})
}

func TestAResumedLeaseCanBeRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		ref := d.take(t, lock.Key("room")).Detach()
		l, err := d.Resume(t.Context(), ref, lock.AutoRenew(), lock.TTL(time.Minute))
		wantErr(t, err)
		time.Sleep(time.Hour)
		wantErr(t, l.Err())
	})
}

func TestARefThatIsNotOneIsRefused(t *testing.T) {
	d := newDesk(t, lock.Config{})
	ref := d.take(t, lock.Key("room")).Detach()
	good, err := json.Marshal(ref)
	wantErr(t, err)
	calls := d.store.calls.Load()
	for name, text := range map[string]string{
		"not JSON":      `{`,
		"a string":      `"ref"`,
		"no version":    strings.Replace(string(good), `"v":1`, `"v":0`, 1),
		"newer version": strings.Replace(string(good), `"v":1`, `"v":2`, 1),
		"no id":         strings.Replace(string(good), ref.ID(), "", 1),
		"odd id":        strings.Replace(string(good), ref.ID(), "a b", 1),
		"long token":    strings.Replace(string(good), tokenOf(t, ref), strings.Repeat("A", 65), 1),
		"no name":       strings.Replace(string(good), `"room"`, `""`, 1),
		"NUL in name":   strings.Replace(string(good), `"room"`, `"\u0000"`, 1),
		"no space":      strings.Replace(string(good), `"rooms"`, `""`, 1),
		"no group":      strings.Replace(string(good), `"all"`, `""`, 1),
		"NUL in group":  strings.Replace(string(good), `"all"`, `"\u0000"`, 1),
	} {
		var got lock.Ref
		err := json.Unmarshal([]byte(text), &got)
		if err == nil || !got.IsZero() || strings.Contains(err.Error(), tokenOf(t, ref)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	_, err = d.Resume(t.Context(), lock.Ref{})
	wantErr(t, err, lock.ErrInvalid)
	_, err = newDesk(t, lock.Config{Name: "other"}, d.store).Resume(t.Context(), ref)
	wantErr(t, err, lock.ErrInvalid)
	_, err = d.Resume(t.Context(), ref, lock.TTL(1))
	wantErr(t, err, lock.ErrInvalid)
	if d.store.calls.Load() != calls {
		t.Error("the store was asked")
	}

	var altered lock.Ref
	wantErr(t, json.Unmarshal([]byte(strings.Replace(string(good), tokenOf(t, ref), "GUESS", 1)), &altered))
	_, err = d.Resume(t.Context(), altered)
	wantErr(t, err, lock.ErrNotHeld)
	d.store.down.Store(true)
	_, err = d.Resume(t.Context(), ref)
	wantErr(t, err, lock.ErrUnavailable)
}

func TestWhatIsNoRefSaysWhy(t *testing.T) {
	for text, why := range map[string]string{
		`{}`:      "lock: invalid: this JSON was not made from a Ref",
		`{"v":2}`: "lock: invalid: a Ref in format 2, made by a later version of this package, which knows formats up to 1",
		`{"v":1}`: "lock: invalid: a Ref of which a part is missing or was changed",
	} {
		var ref lock.Ref
		if err := json.Unmarshal([]byte(text), &ref); err == nil || err.Error() != why {
			t.Errorf("%s: %v, want %s", text, err, why)
		}
	}
}

func TestTheZeroRefIsNull(t *testing.T) {
	text, err := json.Marshal(lock.Ref{})
	if err != nil || string(text) != "null" {
		t.Errorf("%s, %v", text, err)
	}
	ref := lock.Ref{}
	if err := json.Unmarshal([]byte("null"), &ref); err != nil || !ref.IsZero() {
		t.Errorf("%v, %v", ref, err)
	}
}

func TestLoggingARefShowsNoSecret(t *testing.T) {
	d := newDesk(t, lock.Config{})
	ref := d.take(t, lock.Key("room")).Detach()
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("kept", "ref", ref)
	if strings.Contains(b.String(), tokenOf(t, ref)) || !strings.Contains(b.String(), ref.ID()) {
		t.Errorf("logged %s", b.String())
	}
}

func TestAnIDHasUpTo64LettersAndDigits(t *testing.T) {
	for id, valid := range map[string]bool{strings.Repeat("a", 64): true, "AZaz09": true, strings.Repeat("a", 65): false, "a-b": false, "": false} {
		err := json.Unmarshal(fmt.Appendf(nil, `{"v":1,"space":"rooms","group":"all","name":"101","id":%q,"secret":"DEF"}`, id), new(lock.Ref))
		if valid == errors.Is(err, lock.ErrInvalid) {
			t.Errorf("%q: %v, want valid %t", id, err, valid)
		}
	}
}

func FuzzRefJSON(f *testing.F) {
	for _, seed := range []string{
		`null`, `{}`, `{"v":1,"space":"rooms","group":"all","name":"101","id":"ABC","secret":"DEF"}`, `{"v":1,"space":"rooms","group":"é{}","name":"é","id":"abc","secret":"1"}`,
		`{"v":1.5}`, `{"v":1,"space":"a b","group":"all","name":"101","id":"ABC","secret":"DEF"}`, `[]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var ref lock.Ref
		if err := json.Unmarshal([]byte(text), &ref); err != nil {
			if !ref.IsZero() {
				t.Errorf("%q is refused and changes the Ref to %v", text, ref)
			}
			return
		}
		out, err := json.Marshal(ref)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var again lock.Ref
		if err := json.Unmarshal(out, &again); err != nil || again.String() != ref.String() {
			t.Errorf("%q comes back from %s as %v, %v", text, out, again, err)
		}
		if err := again.UnmarshalJSON([]byte(`{"v":7}`)); !errors.Is(err, lock.ErrInvalid) {
			t.Errorf("version 7: %v", err)
		}
	})
}
