// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/internal/test/postgrestest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestNoNightGetsTwoGuestsWhateverComesLate(t *testing.T) {
	server := postgrestest.Start(t, "-c", "fsync=off")
	var out strings.Builder
	if err := run(t.Context(), server.URL(server.Addr(), "postgres"), &out); err != nil {
		t.Fatal(err)
	}
	const want = `offered to ana: <nil>
offered to ben: <nil>
booked by ana: a night is another guest's, or was offered to one
booked by ben: <nil> <nil>
offered to cleo: a night is another guest's, or was offered to one
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
