// SPDX-License-Identifier: MIT

package redislock

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/lock"
)

// body is what acquire.lua puts between head and tail.
const body = "1700000000000123,,,3,,5:nonce10:?!holdfast"

// public is a claim's record without its token.
func public(c lock.StoreClaim) string {
	parts := slices.Collect(c.Resource.Parts())
	c.Token = ""
	return version + strings.TrimPrefix(head(c, digit(parts[0]), parts), version+":") + body + tail(c)
}

// firstRecord is a record as version 1 writes it: whatever is released later has
// to read these bytes.
const firstRecord = "12,8:room/101" + "1\x10\x00\x00\x00\x00\x00\x0a\x10\x00\x00\x00\x00\x00\x14\x00\x00\x00\x01" + // version, parts, the first one
	"3:spa" + "0\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
	"1700000000000123,,,3,,5:nonce10:?!holdfast" + // body: fence and grant, end, times and nonce of extensions, inbox
	"3:ana4:late1,7:channel3:web"

func TestTheFormatOfVersionOneIsFixed(t *testing.T) {
	c := lock.StoreClaim{
		Resource: lock.All(lock.Span("room/101", 10, 20), lock.Key("spa")),
		Holder:   "ana", Reason: "late", Details: map[string]string{"channel": "web"},
	}
	if got := public(c); got != firstRecord {
		t.Errorf("wrote %q, want %q", got, firstRecord)
	}
	lone := lock.StoreClaim{StoreTicket: lock.StoreTicket{ID: "id1", Token: "secret"}, Resource: lock.Key("spa")}
	if got := head(lone, sole, slices.Collect(lone.Resource.Parts())); got != "16:secret=3:id1" {
		t.Errorf("a record in a slot begins with %q", got)
	}
	if h, err := decode("1=3:spa" + body + tail(lone)); err != nil || h.Resource.String() != "spa" {
		t.Errorf("a lone key reads as %+v, %v", h, err)
	}
	h, err := decode(firstRecord)
	if err != nil || h.Resource.String() != c.Resource.String() || h.Holder != "ana" || h.Reason != "late" || !maps.Equal(h.Details, c.Details) || h.Fence != 1700000000000123 || h.Extensions != 3 {
		t.Errorf("read %+v, %v", h, err)
	}
}

func FuzzARecordKeepsTheClaim(f *testing.F) {
	f.Add("room/101", "ana", "late", "channel", "web", int64(10), int64(20), 1, uint8(1))
	f.Add("r:1,2", "", "\x00", "", "", int64(lock.MinBound), int64(lock.MaxBound), 1<<31-1, uint8(3))
	f.Fuzz(func(t *testing.T, name, holder, reason, key, value string, from, to int64, units int, kind uint8) {
		part := lock.Of(lock.Kind(kind%4), name, from, to).Units(units)
		if storable(part) != nil {
			return
		}
		c := lock.StoreClaim{
			StoreTicket: lock.StoreTicket{Token: "secret"}, Holder: holder, Reason: reason,
			Resource: lock.All(part, lock.Key(name+"'s other")), Details: map[string]string{key: value},
		}
		h, err := decode(public(c))
		if err != nil {
			t.Fatalf("%q: %v", public(c), err)
		}
		if h.Resource.String() != c.Resource.String() || h.Holder != holder || h.Reason != reason || !maps.Equal(h.Details, c.Details) ||
			h.Fence != 1700000000000123 || !h.Unconfirmed || h.Extensions != 3 || h.AcquiredAt.UnixMilli() != 1700000000000 {
			t.Errorf("%+v came back as %+v", c, h)
		}
		if back, err := partOf(member(digit(part), part) + "id\x00\xff"); err != nil || back.String() != part.String() {
			t.Errorf("member of %s came back as %s, %v", part, back, err)
		}
	})
}

func FuzzDecodeNeverPanics(f *testing.F) {
	good := public(lock.StoreClaim{Resource: lock.Key("a"), Holder: "h", Details: map[string]string{"k": "v"}})
	f.Add(good)
	for i := range good {
		f.Add(good[:i])
	}
	f.Add("19999999999999999999,")
	f.Add("19999999,")
	f.Fuzz(func(t *testing.T, record string) {
		if h, err := decode(record); err == nil && h.Resource.Name() == "" && !strings.Contains(record, ":") {
			t.Errorf("%q is a hold of nothing: %+v", record, h)
		}
		_, _ = partOf(record)
	})
}

// Redis sorts members by their bytes; the walks rely on that being the order
// of names, kinds and bounds.
func FuzzMembersSortLikeTheirParts(f *testing.F) {
	f.Add("a", "a", int64(-1), int64(0), int64(5), int64(6), uint8(1), uint8(1))
	f.Add("a", "a\x01", int64(9), int64(lock.MinBound), int64(10), int64(lock.MaxBound), uint8(1), uint8(2))
	f.Add("a", "aa", int64(255), int64(256), int64(256), int64(1<<51), uint8(3), uint8(3))
	f.Fuzz(func(t *testing.T, n1, n2 string, f1, f2, t1, t2 int64, k1, k2 uint8) {
		a, b := lock.Of(lock.Kind(k1%4), n1, f1, t1), lock.Of(lock.Kind(k2%4), n2, f2, t2)
		if storable(a) != nil || storable(b) != nil {
			return
		}
		want := cmp.Or(comparePlace(a, b), cmp.Compare(t1, t2))
		if got := strings.Compare(member(digit(a), a), member(digit(b), b)); got != want {
			t.Errorf("members of %s and %s compare as %d, want %d", a, b, got, want)
		}
	})
}

func TestAMemberOfAnUnknownKindOrOfTooManyUnitsIsMalformed(t *testing.T) {
	good := member('1', lock.Span("room", 1, 2)) + "id"
	at := strings.IndexByte(good, 0) + 1
	for what, m := range map[string]string{
		"without a NUL": strings.ReplaceAll(good, "\x00", "x"),
		"cut short":     good[:at+extent-1],
		"of kind 10":    good[:at] + string('0'+rune(10)) + good[at+1:],
		"of 2^31 units": good[:at+extent-4] + "\x80\x00\x00\x00" + "id",
	} {
		if _, err := partOf(m); !errors.Is(err, errMalformed) {
			t.Errorf("a member %s: %v, want errMalformed", what, err)
		}
	}
	if r, err := partOf(good); err != nil || r.String() != "room [1, 2)" {
		t.Errorf("%s, %v", r, err)
	}
}

func TestKeysOfAGroupShareAHashTagOfItsOwn(t *testing.T) {
	tags := make(map[string]string)
	for _, group := range []string{"", "%", "{", "}", "{}", "a}b", "a%7Db", "hotel 1", "%25", "\xff"} {
		keys := New(nil).keys("rooms", group)
		want, _, _ := strings.Cut(strings.TrimPrefix(keys[0], "holdfast:rooms:lock:{"), "}")
		if other, taken := tags[want]; taken || want == "" {
			t.Errorf("groups %q and %q have the tag %q", group, other, want)
		}
		tags[want] = group
		for i, k := range keys {
			if k != "holdfast:rooms:lock:{"+want+"}:"+letters[i] {
				t.Errorf("key %q of group %q", k, group)
			}
		}
	}
	if k := New(nil, WithPrefix("app{1}")).keys("a{b}", "g")[0]; k != "app%7B1%7D:a%7Bb%7D:lock:{g}:i" {
		t.Errorf("braces outside the tag: %q", k)
	}
	if k := New(nil, WithPrefix("")).keys("a", "g")[0]; !strings.HasPrefix(k, "holdfast:") {
		t.Errorf("key %q of the empty prefix, which is the default", k)
	}
}

func TestAnswersOfAnUnknownShapeAreErrors(t *testing.T) {
	for _, answer := range []any{nil, "OK", int64(1), []any{}, []any{"x"}, []any{int64(1), int64(2)}, []any{int64(1), []any{[]any{"id"}}}} {
		r := open(answer)
		r.clock()
		r.holds()
		h := r.list()
		h.hold(lock.Resource{})
		r.join(h)
		if r.err() == nil {
			t.Errorf("%v was accepted", answer)
		}
	}
}

func TestAConflictWithAPartThatWasNotWantedIsAnError(t *testing.T) {
	room := lock.Key("room")
	for part, good := range map[int64]bool{0: false, 1: true, 2: false} {
		r := open([]any{[]any{[]any{part, member(sole, room) + "id", "id", int64(10), ""}}})
		if got := r.conflicts([]lock.Resource{room}); (r.err() == nil) != good || good != (len(got) == 1) {
			t.Errorf("part %d of one: %d conflicts, %v", part, len(got), r.err())
		}
	}
}

func TestMessagesThatAreForeignOrMalformedAreCountedAndIgnored(t *testing.T) {
	s := New(nil)
	for i, message := range []string{"", "unknown", "unknown ", "unknown 12 34,,", "unknown x y"} {
		s.inbox.read(message)
		if n := s.IgnoredMessages(); n != i+1 {
			t.Errorf("after %q %d are counted, want %d", message, n, i+1)
		}
	}
}
