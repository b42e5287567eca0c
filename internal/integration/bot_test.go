// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

const botFolder = "../../examples/reservationbot"

// buildBot returns the path of the compiled bot.
func buildBot(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reservationbot")
	if out, err := exec.Command("go", "build", "-o", path, botFolder).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// realParts returns the flags that give the bot a real Redis and PostgreSQL.
func realParts(t testing.TB) []string {
	t.Helper()
	postgres := startPostgres(t)
	return []string{
		"-redis", redistest.Real(t).Addr,
		"-audit", postgres.URL(postgres.Addr(), "postgres"),
	}
}

func TestTheScriptHasItsGoldenAnswerOnRealServers(t *testing.T) {
	t.Parallel()
	args := append(realParts(t), "-script", filepath.Join(botFolder, "testdata", "booking.txt"))
	cmd := exec.Command(buildBot(t), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	want, err := os.ReadFile(filepath.Join(botFolder, "testdata", "booking.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the bot says:\n%s\nwant, as embedded:\n%s", got, want)
	}
}

// stormTally is what a storm prints.
type stormTally struct {
	Guests, Booked, Conflicts, Fallbacks, Errors int
	DoubleBookings                               *int `json:"double_bookings"`
}

func TestAStormOnRealServersBooksNoRoomTwice(t *testing.T) {
	cmd := exec.Command(buildBot(t), append(realParts(t), "-storm", "1000", "-rooms", "20")...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs.String())
	}
	var tally stormTally
	if err := json.Unmarshal(out, &tally); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("%s", out)
	if tally.DoubleBookings == nil || *tally.DoubleBookings != 0 || tally.Errors != 0 {
		t.Errorf("double bookings or unexplained refusals: %s%s", out, errs.String())
	}
	if tally.Booked == 0 || tally.Guests != 1000 || tally.Booked+tally.Conflicts+tally.Fallbacks != tally.Guests {
		t.Errorf("the answers do not add up to the guests: %s", out)
	}
}
