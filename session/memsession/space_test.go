// SPDX-License-Identifier: MIT

package memsession

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func TestAnOwnerWhoseRecordsAreDeletedIsForgotten(t *testing.T) {
	s := New()
	for i := range byte(100) {
		w := session.StoreWrite{Nonce: 1}
		w.Idle = time.Minute
		w.Space, w.Hash, w.Owner = "x", session.Hash{i}, session.Hash{i, 1}
		if _, err := s.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if gone, err := s.Delete(t.Context(), session.StoreRemove{Space: "x", Handles: []session.Hash{w.Hash}}); len(gone.Removed) != 1 || err != nil {
			t.Fatalf("deleted %+v, %v", gone, err)
		}
	}
	if sp := s.spaces["x"]; len(sp.byOwner) != 0 || len(sp.byHash) != 0 {
		t.Errorf("%d owners and %d records are left", len(sp.byOwner), len(sp.byHash))
	}
}
