// SPDX-License-Identifier: MIT

package audit

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNewIDsGrowStrictlyInAProcess(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[ID]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ids := make([]ID, 5000)
			for i := range ids {
				ids[i] = NewID()
			}
			if !slices.IsSortedFunc(ids, func(a, b ID) int { return a.Compare(b) }) {
				t.Error("ids of one goroutine are out of order")
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				if seen[id] {
					t.Errorf("%s was made twice", id)
				}
				seen[id] = true
			}
		})
	}
	wg.Wait()
}

func TestIDsGrowWhenTheClockIsSetBack(t *testing.T) {
	now := time.Now()
	first := newID(now)
	if second := newID(now.Add(-time.Hour)); second.Compare(first) <= 0 {
		t.Errorf("%s after %s", second, first)
	}
}

func TestNewIDIsAUUIDOfVersion7(t *testing.T) {
	now := time.UnixMilli(time.Now().Add(time.Hour).UnixMilli()) // ahead of all ids so far
	id := newID(now)
	lastTick.Store(0) // for the other tests
	text := id.String()
	if text[14] != '7' || !strings.ContainsRune("89ab", rune(text[19])) {
		t.Errorf("%s has not version 7 and the usual variant", text)
	}
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	if ms != now.UnixMilli() {
		t.Errorf("it says %d ms, want %d", ms, now.UnixMilli())
	}
}

func TestDerivedIDDependsOnTimeAndKeyAlone(t *testing.T) {
	at := time.Date(2026, 12, 11, 12, 0, 0, 0, time.UTC)
	id := DerivedID(at, "hold 1")
	if id != DerivedID(at.In(time.FixedZone("east", 3600)).Add(time.Microsecond), "hold 1") {
		t.Error("the same time and key gave another id")
	}
	if id == DerivedID(at, "hold 2") || id == DerivedID(at.Add(time.Millisecond), "hold 1") {
		t.Error("another time or key gave the same id")
	}
	if id.String()[14] != '8' || id.Compare(DerivedID(at.Add(time.Millisecond), "a")) >= 0 {
		t.Errorf("%s does not sort by its time or is not of version 8", id)
	}
	if DerivedID(time.Time{}, "k").IsZero() {
		t.Error("a zero time gave a zero id")
	}
}

func TestIDTextRoundTrips(t *testing.T) {
	id := NewID()
	text, err := json.Marshal(map[string]ID{"id": id})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]ID
	if err := json.Unmarshal(text, &back); err != nil || back["id"] != id {
		t.Errorf("%s came back as %v, %v", id, back, err)
	}
	if err := json.Unmarshal([]byte(`{"id":"x"}`), &back); !errors.Is(err, ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
	if upper, err := ParseID(strings.ToUpper(id.String())); err != nil || upper != id {
		t.Errorf("upper case: %s, %v", upper, err)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("01890a5d-ac96-774b-bcce-b302099a8057")
	f.Add("01890a5d-ac96-774b-bcce-b302099a805")
	f.Add("01890a5dac96774bbcceb302099a8057----")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		switch {
		case err == nil && id.String() != strings.ToLower(text):
			t.Errorf("%q was read as %s", text, id)
		case err != nil && (!errors.Is(err, ErrInvalid) || len(text) > 40 && strings.Contains(err.Error(), text)):
			t.Errorf("%v is not ErrInvalid or quotes its input", err)
		}
	})
}
