// SPDX-License-Identifier: MIT

package gormsink

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/holdfast-go/holdfast/audit"
)

func exported(events []audit.Event, unreadable int) *sqlmock.Rows {
	rows := sqlmock.NewRows(columnList)
	for i, e := range events {
		values := row(e, "", nil)
		if i < unreadable {
			values[0] = "unreadable"
		}
		rows.AddRow(toDriver(values)...)
	}
	return rows
}

func TestExportWritesALineForEachEventAndReportsTheRest(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	all := events(t, 150)
	mock.ExpectQuery("SELECT").WillReturnRows(exported(all, 120))
	var out bytes.Buffer
	n, err := s.Export(t.Context(), &out, Criteria{})
	if _, ok := errors.AsType[*RowError](err); n != 30 || !ok || strings.Count(err.Error(), "\n") != 100 || !strings.Contains(err.Error(), "20 more rows") {
		t.Errorf("%d events, %v; want 30, and a bounded report of the others", n, err)
	}
	i := 120
	for line := range bytes.Lines(out.Bytes()) {
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil || e != all[i] {
			t.Errorf("line %d is %s, %v", i-120, line, err)
		}
		i++
	}
}

// full is a writer with room for nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errCut }

func TestExportEndsWithTheDatabaseOrTheWriter(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	all := events(t, 2)
	var out bytes.Buffer
	mock.ExpectQuery("SELECT").WillReturnRows(exported(all, 0).AddRow(toDriver(row(all[0], "", nil))...).RowError(2, errCut))
	if n, err := s.Export(t.Context(), &out, Criteria{}); n != 2 || !errors.Is(err, audit.ErrUnavailable) || bytes.Count(out.Bytes(), []byte{'\n'}) != 2 {
		t.Errorf("%d events, %v; want those before the cut, and it", n, err)
	}
	mock.ExpectQuery("SELECT").WillReturnRows(exported(all, 0))
	if _, err := s.Export(t.Context(), full{}, Criteria{}); !errors.Is(err, errCut) {
		t.Errorf("%v, want the writer's error", err)
	}
	mock.ExpectQuery("SELECT").WillReturnRows(exported(events(t, 100), 0))
	if n, err := s.Export(t.Context(), full{}, Criteria{}); !errors.Is(err, errCut) || n >= 100 {
		t.Errorf("%d, %v; want the writer's error as soon as it comes", n, err)
	}
}
