// SPDX-License-Identifier: MIT

package lock_test

import (
	"testing"

	"github.com/holdfast-go/holdfast/lock"
)

func TestHoldsListsWhoHoldsWhat(t *testing.T) {
	d := newDesk(t, lock.Config{})
	b := d.take(t, nights("b", 12, 15), lock.Holder("bob"))
	a := d.take(t, nights("a", 12, 15), lock.Holder("ada"))
	late := d.take(t, nights("b", 15, 16))
	wantList(t, "held", d.held(t), a.ID(), b.ID(), late.ID())
	var got []string
	for h, err := range d.Holds(t.Context(), nights("b", 14, 15)) {
		wantErr(t, err)
		got = append(got, h.Holder)
	}
	wantList(t, "holders of the night", got, "bob")
	for range d.Holds(t.Context(), lock.Resource{}) {
		break
	}
}

func TestHoldsEndsWithTheError(t *testing.T) {
	d := newDesk(t, lock.Config{})
	d.store.down.Store(true)
	for _, err := range d.Holds(t.Context(), lock.Key("a")) {
		wantErr(t, err, lock.ErrUnavailable, errDown)
	}
	for _, err := range d.Holds(t.Context(), lock.Key("")) {
		wantErr(t, err, lock.ErrInvalid)
	}
	grouped := newDesk(t, lock.Config{GroupBy: func(name string) string { return name }})
	for _, err := range grouped.Holds(t.Context(), lock.Resource{}) {
		wantErr(t, err, lock.ErrInvalid)
	}
}
