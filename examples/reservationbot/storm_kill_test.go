// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A bot with a spool is killed while a storm runs, and started again on the same
// spool and table. Each booking that a guest knows of is in the trail then, no number
// of an event is missing, and Verify finds each row as it was sealed.
func TestAStormThatIsKilledLosesNothingOfTheTrail(t *testing.T) {
	kills := 2
	if isLong() {
		kills = 20
	}
	t.Setenv("TMPDIR", t.TempDir()) // storms that are killed leave a database there
	args := append(outside(t, 50*kills), "-seal", t.TempDir()+"/root.key")
	witness := start(t, append(args, "-script", "-")...)
	if err := errors.Join(witness.Desk.Chats.Stop(t.Context()), witness.Desk.Orders.Stop(t.Context())); err != nil { // so that it records nothing
		t.Fatal(err)
	}
	p := new(process)
	base := strings.Join(args, " ") + " -addr 127.0.0.1:0 -spool " + t.TempDir()
	start := func(seed int) { // its storms are of other guests than the last one's
		p.args = fmt.Sprint(base, " -seed ", seed)
		p.start(t)
	}
	start(0)
	t.Cleanup(func() { p.kill() })
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	booked := func() int {
		all, err := witness.PMS.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	var visitors []*visitor
	for round := range kills {
		enough := booked() + 5 + rand.IntN(60)
		if code, answer := call(t, client, http.MethodPost, p.at()+"api/storm", `{"guests":200}`); code != http.StatusAccepted {
			t.Fatalf("a storm: %d, %v", code, answer)
		}
		var talking sync.WaitGroup
		for i := range 8 {
			v := &visitor{name: fmt.Sprintf("guest%d-%d", round, i)}
			visitors = append(visitors, v)
			talking.Go(func() {
				room, in := witness.Desk.Rooms[50*round+rand.IntN(50)], witness.today().Plus(i)
				v.say(client, p.at(), fmt.Sprintf("book room %s from %s to %s", room, in, in.Plus(1)))
			})
		}
		within(t, "bookings of the storm", func() string { return fmt.Sprint(max(0, enough-booked()), " to come") }, "0 to come")
		p.kill()
		talking.Wait()
		start(round + 1)
	}
	within(t, "the trail", func() string { return lacks(t, witness) }, "")
	keptItsWord(t, witness, visitors)
	p.kill() // so that no row is added while these are counted

	sealed, err := witness.seals.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := witness.seals.Verify(t.Context())
	if err != nil || report.Findings() != 0 || report.Intact == 0 || report.Unsealed != 0 {
		t.Errorf("%v\n%s", err, report)
	}
	t.Logf("%d kills, %d bookings; %d rows as they were sealed, %d of them just now", kills, booked(), report.Intact, sealed)
}

// within waits a minute until what is as wanted.
func within(t *testing.T, what string, is func() string, wanted string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		got := is()
		if got == wanted {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s, after a minute: %s", what, got)
		}
		pauseFor(t.Context(), 20*time.Millisecond)
	}
}

// lacks is what the trail does not have yet.
func lacks(t *testing.T, b *bot) string {
	t.Helper()
	unknown := ghosts(t, b) // to be settled
	all, err := b.PMS.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	recorded := confirmed(t, b)
	for _, one := range all {
		if !recorded[one.Reference] && !slices.Contains(unknown, one) {
			return "no event confirms " + one.Reference + " of " + one.Guest
		}
	}
	gaps, err := b.Events.Gaps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(gaps) > 0 {
		return fmt.Sprintf("numbers are missing: %+v", gaps)
	}
	return ""
}
