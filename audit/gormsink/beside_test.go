// SPDX-License-Identifier: MIT

package gormsink

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

// hooked are the steps of a purge with a hook, which leaves young notes.
func hooked(steps []step) []step {
	for i := range steps {
		steps[i].query = strings.Replace(steps[i].query, " AND type = \\?", " AND type = \\? AND NOT \\(type IN \\(\\?, \\?\\) AND recorded_at > \\?\\)", 1)
	}
	return steps
}

func TestTheHookGetsEachNoteBeforeItIsStored(t *testing.T) {
	var notes []string
	var erased []audit.Event
	hook := func(tx *gorm.DB, s *Sink, note *audit.Event, list []audit.Event) error {
		notes, erased = append(notes, s.Table()+" "+note.Type), list
		return nil
	}
	s, mock := mocked(t, "postgres", WithHook(hook))
	expectSteps(mock, eraseSteps(t))
	if _, err := s.Erase(t.Context(), ana, Erasure{By: audit.Entity{ID: "cleo"}, Reason: "7"}); err != nil {
		t.Fatal(err)
	}
	if len(erased) != 2 || erased[0].Actor.ID != "" || erased[1].Details.String() != `{"held_by":"erased"}` {
		t.Errorf("erased are %v, want the two events as they are now", erased)
	}
	expectSteps(mock, hooked(purgeSteps("postgres")))
	if _, err := s.Purge(t.Context(), Expiry{Before: time.UnixMicro(5000), Type: "seen", Tenant: "hotel"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"lock_audit audit.erased", "lock_audit audit.purged", "lock_audit audit.purged"}; !slices.Equal(notes, want) || erased != nil {
		t.Errorf("notes %q and erased %v, want %q and none", notes, erased, want)
	}
}

func TestAnErrorOfTheHookUndoesThePage(t *testing.T) {
	s, mock := mocked(t, "postgres", WithHook(func(*gorm.DB, *Sink, *audit.Event, []audit.Event) error { return errCut }))
	expectSteps(mock, eraseSteps(t)[:5])
	mock.ExpectRollback()
	if done, err := s.Erase(t.Context(), ana, Erasure{By: audit.Entity{ID: "cleo"}, Reason: "7"}); !errors.Is(err, errCut) || done.Events != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	expectSteps(mock, hooked(purgeSteps("postgres")[:3]))
	mock.ExpectRollback()
	if n, err := s.Purge(t.Context(), Expiry{Before: time.UnixMicro(5000), Type: "seen", Tenant: "hotel"}); !errors.Is(err, errCut) || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestASnapshotReadsRowsWithTheTimeOfTheirWriting(t *testing.T) {
	e := events(t, 2)
	rows := sqlmock.NewRows(columnList).AddRow(toDriver(row(e[0], "", nil))...).AddRow(toDriver(row(e[1], "outcome", "none"))...)
	for _, database := range []string{"postgres", "sqlite"} {
		s, mock := mocked(t, database)
		mock.ExpectBegin()
		mock.ExpectQuery("SELECT id,.* FROM lock_audit WHERE seq < \\?$").WithArgs(3).WillReturnRows(rows)
		mock.ExpectCommit()
		err := s.Snapshot(t.Context(), "look", func(tx *gorm.DB) error {
			var list []Row
			err := s.Rows(tx, func(r Row) { list = append(list, r) }, "WHERE seq < ?", 3)
			if len(list) != 2 || list[0].Event != e[0] || list[0].Recorded.IsZero() || list[0].Err != nil || list[1].ID != e[1].ID || list[1].Err == nil {
				t.Errorf("%+v", list)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		mock.ExpectBegin()
		mock.ExpectQuery("SELECT id").WillReturnError(errCut)
		mock.ExpectRollback()
		err = s.Snapshot(t.Context(), "look", func(tx *gorm.DB) error { return s.Rows(tx, nil, "") })
		if !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, errCut) {
			t.Errorf("%v, want ErrUnavailable and the cause", err)
		}
		rows = sqlmock.NewRows(columnList).AddRow(toDriver(row(e[0], "", nil))...).AddRow(toDriver(row(e[1], "outcome", "none"))...)
	}
	if err := New(nil).Change(t.Context(), "x", nil); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
}
