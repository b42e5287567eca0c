// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

func TestHoldsAreListedInOrderEachOnce(t *testing.T) {
	everywhere(t, func(r *rig) {
		day := time.Date(2026, 12, 12, 0, 0, 0, 0, time.UTC)
		for _, res := range []lock.Resource{
			lock.Span("b", 5, 6), // id1
			lock.All(lock.Span("a", 7, 8), lock.Span("a", 1, 2), lock.Key("c")), // id2
			lock.Span("a", 2, 3),                                                    // id3
			lock.Nights("d", day, day.AddDate(0, 0, 3)),                             // id4
			lock.All(lock.Key("e"), lock.Nights("d", day.AddDate(0, 0, -3), day)),   // id5
			lock.Between("a\x01", day, day.Add(time.Hour)), lock.Span("aa", -9, -8), // id6, id7
		} {
			r.take(res, time.Hour)
		}
		for _, q := range []struct {
			of   lock.Resource
			want []string
		}{
			{lock.Resource{}, []string{"id2", "id3", "id6", "id7", "id1", "id5", "id4"}},
			{lock.Key("a"), []string{"id2", "id3"}},
			{lock.Span("a", 2, 8), []string{"id2", "id3"}},
			{lock.Span("a", 3, 7), nil},
			{lock.Span("d", 3, 7), []string{"id5", "id4"}}, // another kind: as if whole
			{lock.Nights("d", day, day.AddDate(0, 0, 1)), []string{"id4"}},
			{lock.All(lock.Key("c"), lock.Key("a"), lock.Key("b")), []string{"id2", "id3", "id1"}},
			{lock.Key("unheld"), nil},
		} {
			if got := ids(r.list(q.of)); !slices.Equal(got, q.want) {
				r.Errorf("holds of %q: %v, want %v", q.of, got, q.want)
			}
		}
	})
}

func TestHoldsOfOneRangeAreListedByFence(t *testing.T) {
	everywhere(t, func(r *rig) {
		var want []string
		for i := range 9 {
			c := r.claim(lock.Span("a", 1, 9-int64(i)%3), time.Hour)
			c.ID, c.Capacity = strconv.Itoa(9-i), []int{9}
			r.ask(c)
			want = append(want, c.ID)
		}
		for _, q := range []lock.Resource{{}, lock.Key("a")} {
			if got := ids(r.list(q)); !slices.Equal(got, want) {
				r.Errorf("holds %v, want %v", got, want)
			}
		}
	})
}

func TestHoldsComeInPagesAndStopWithTheLoop(t *testing.T) {
	everywhere(t, func(r *rig) {
		const n = 2*pageSize + 10
		for i := range n {
			r.take(lock.Span("a", int64(i), int64(i)+1), time.Hour)
		}
		for i, h := range r.list(lock.Resource{}) {
			if from, _ := h.Resource.Bounds(); from != int64(i) {
				r.Fatalf("hold %d begins at %d", i, from)
			}
		}
		for _, res := range []lock.Resource{{}, lock.Key("a")} {
			if got := len(r.list(res)); got != n {
				r.Errorf("%d holds, want %d", got, n)
			}
			q := lock.StoreQuery{Space: "rooms", Group: "hotel", Resource: res, Limit: 3}
			seen := 0
			for range r.Holds(r.Context(), q) {
				seen++
			}
			if seen != 3 {
				r.Errorf("%d holds with Limit 3", seen)
			}
			for range r.Holds(r.Context(), lock.StoreQuery{Space: "rooms", Group: "hotel", Resource: res}) {
				break
			}
		}
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		for _, err := range r.Holds(ctx, lock.StoreQuery{Space: "rooms", Group: "hotel", Resource: lock.Key("a")}) {
			if err == nil {
				r.Error("no error under a cancelled context")
			}
		}
	})
}

func TestAFewHoldsOfANameAreListedAsOfOneInstant(t *testing.T) {
	everywhere(t, func(r *rig) {
		for n := range 3 {
			r.take(lock.Span("a", int64(n), int64(n)+1), time.Hour)
		}
		r.list(lock.Key("a")) // the server has the script from now on
		calls := redistest.NewCounter(func(redis.Cmder) bool { return true })
		r.client.AddHook(calls)
		if got := len(r.list(lock.Key("a"))); got != 3 || calls.N() != 1 {
			r.Errorf("%d holds in %d calls, want 3 in one", got, calls.N())
		}
	})
}

func TestThePartsOfAKeyAreUnambiguous(t *testing.T) {
	client, _ := redistest.Virtual(t)
	seen := make(map[string]string)
	for _, c := range []struct{ prefix, space, group string }{
		{"app", "eu:rooms", "all"}, {"app:eu", "rooms", "all"}, {"app%3Aeu", "rooms", "all"}, {"app", "eu", "rooms:lock:{all"}, {"app", "eu:rooms:lock", "{all"},
	} {
		key := New(client, WithPrefix(c.prefix)).keys(c.space, c.group)[0]
		if other, again := seen[key]; again {
			t.Errorf("%v and %s share the key %s", c, other, key)
		}
		seen[key] = fmt.Sprint(c)
	}
}

func TestHoldsOfAllGroupsAreFound(t *testing.T) {
	everywhere(t, func(r *rig) {
		var want []string
		for _, group := range []string{"", "%", "a:b", "{x}", "*", "all"} {
			c := r.claim(lock.Key("room"), time.Hour)
			c.Group, c.Space = group, "rooms"
			r.ask(c)
			want = append(want, c.ID)
			other := r.claim(lock.Key("room"), time.Hour)
			other.Group, other.Space = group, "rooms:eu"
			r.ask(other)
		}
		var got []string
		for h, err := range r.Holds(r.Context(), lock.StoreQuery{Space: "rooms", AllGroups: true}) {
			if err != nil {
				r.Fatal(err)
			}
			got = append(got, h.ID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			r.Errorf("found %v, want %v", got, want)
		}
	})
}

func TestHoldsOfAllGroupsAreFoundOnEachMasterOfACluster(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, n := range redistest.Cluster(t, 2) {
		documentedRights(t, n.Client(t))
		n.Client(t).Do(t.Context(), "ACL", "SETUSER", "locks", "+scan") // as the document says
		addrs = append(addrs, n.Addr)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Username: "locks", Password: "secret", DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	r := newRig(t, nil)
	r.Store = New(client)
	want, got := make(map[string]bool), make(map[string]bool)
	for i := range 8 { // groups of both nodes
		c := r.claim(lock.Key("room"), time.Hour)
		c.Group = strconv.Itoa(i)
		r.ask(c)
		want[c.ID] = true
	}
	for h, err := range r.Holds(t.Context(), lock.StoreQuery{Space: "rooms", AllGroups: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got[h.ID] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestHoldsOfAServerThatIsGoneAreAnError(t *testing.T) {
	virtual(t, func(r *rig) {
		_ = r.client.Close()
		for _, q := range []lock.StoreQuery{
			{Space: "rooms", Group: "hotel"},
			{Space: "rooms", Group: "hotel", Resource: lock.Key("room")},
			{Space: "rooms", AllGroups: true},
		} {
			n := 0
			for _, err := range r.Holds(r.Context(), q) {
				if n++; !errors.Is(err, lock.ErrPermanent) {
					r.Errorf("%+v: %v, want ErrPermanent", q, err)
				}
			}
			if n != 1 {
				r.Errorf("%+v: %d holds, want one error", q, n)
			}
		}
	})
}
