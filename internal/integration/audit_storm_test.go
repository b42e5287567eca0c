// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// counted counts what lock records.
type counted struct {
	audit.Recorder
	n atomic.Int64
}

func (c *counted) Record(ctx context.Context, e audit.Event) error {
	c.n.Add(1)
	return c.Recorder.Record(ctx, e)
}

// A thousand guests want the same rooms while the audit database is killed and
// started again. The queue is too small for all that happens meanwhile.
func TestAStormWithoutItsAuditDatabaseFailsNoLockAndAccountsForEveryEvent(t *testing.T) {
	server := startPostgres(t)
	sink := migrated(t, server.open(t))
	log, err := audit.New(sink, audit.Config{
		Queue: 500, MaxBatch: 100, WhenFull: audit.DropNewest, Retry: audit.Backoff{Base: 10 * time.Millisecond, Max: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder := &counted{Recorder: log}
	client := redistest.Real(t).Client(t)
	// The time limits are for a test on a busy machine.
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms", TTL: time.Minute, Audit: recorder, AuditTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var guests sync.WaitGroup
	var answered atomic.Int64
	for i := range 1000 {
		guests.Go(func() {
			in := time.Date(2026, 12, 1+rand.IntN(20), 0, 0, 0, 0, time.UTC)
			stay := lock.Nights(fmt.Sprint("room/", rand.IntN(20)), in, in.AddDate(0, 0, 1+rand.IntN(4)))
			lease, err := rooms.TryAcquire(t.Context(), stay, lock.Holder(fmt.Sprint("guest", i)))
			switch {
			case err == nil:
				if err := lease.Release(t.Context()); err != nil {
					t.Errorf("guest %d: %v", i, err)
				}
			case !errors.Is(err, lock.ErrConflict):
				t.Errorf("guest %d: %v", i, err)
			}
			answered.Add(1)
		})
		if i == 100 {
			server.Kill()
		}
		if i%50 == 0 { // so that the storm lasts as long as the outage
			waitFor(t, "the guests so far", func() bool { return answered.Load() >= int64(i) })
		}
		if i == 900 {
			server.Restart(t)
		}
	}
	guests.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := rooms.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := log.Close(ctx); err != nil {
		t.Error(err)
	}
	stats, written, missing := log.Stats(), int64(0), int64(0)
	for e, err := range sink.Query(ctx, gormsink.Criteria{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch e.Type {
		default:
			written++
			continue
		case audit.TypeOpened, audit.TypeClosed:
			continue
		case audit.TypeDropped:
		}
		n, _ := e.Details.Get("n")
		marked, err := n.(json.Number).Int64()
		if err != nil {
			t.Fatal(err)
		}
		missing += marked
	}
	dropped := int64(stats.Dropped[audit.QueueFull])
	t.Logf("%d lock events: %d written, %d dropped", recorder.n.Load(), written, dropped)
	if dropped == 0 || len(stats.Dropped) != 1 {
		t.Errorf("dropped %v, want some for a full queue and none for anything else", stats.Dropped)
	}
	if written+dropped != recorder.n.Load() || missing != dropped || written != int64(stats.Written) {
		t.Errorf("%d lock events, %d in the table, %d marked as missing, stats %+v", recorder.n.Load(), written, missing, stats)
	}
}

func TestTheBotBooksOnWhileItsAuditDatabaseIsGone(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	cmd := exec.Command(buildBot(t), "-redis", redistest.Real(t).Addr, "-audit", server.URL(server.Addr(), "postgres"), "-storm", "1000", "-rooms", "20")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	sink := migrated(t, server.open(t))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stored := 0
	count := func() bool { // false over a connection that died with the server
		stored = 0
		for e, err := range sink.Query(t.Context(), gormsink.Criteria{}) {
			if err != nil {
				return false
			}
			if e.Type != audit.TypeOpened && e.Type != audit.TypeClosed {
				stored++
			}
		}
		return true
	}
	waitFor(t, "the first events", func() bool { return count() && stored > 0 })
	server.StopNow(t)
	server.Restart(t)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errs.String())
	}
	var tally struct {
		Errors, Guests, Booked int
		AuditEvents            int `json:"audit_events"`
		DoubleBookings         int `json:"double_bookings"`
	}
	if err := json.Unmarshal(out.Bytes(), &tally); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	t.Logf("%s", out.String())
	if tally.Errors != 0 || tally.DoubleBookings != 0 || tally.Guests != 1000 || tally.Booked == 0 {
		t.Errorf("the outage was felt: %s%s", out.String(), errs.String())
	}
	waitFor(t, "an answer of the database", count)
	if stored != tally.AuditEvents {
		t.Errorf("%d events are stored, want the %d that count as written", stored, tally.AuditEvents)
	}
}

func TestABotThatIsKilledLeavesAGapThatItsSuccessorShows(t *testing.T) {
	t.Parallel()
	server, bot := startPostgres(t), buildBot(t)
	sink := migrated(t, server.open(t))
	storm := func(guests string) *exec.Cmd {
		return exec.Command(bot, "-redis", redistest.Real(t).Addr, "-audit", server.URL(server.Addr(), "postgres"), "-storm", guests, "-rooms", "20")
	}
	killed := storm("1000")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first events", func() bool {
		for range sink.Query(t.Context(), gormsink.Criteria{ActorType: "holder"}) {
			return true
		}
		return false
	})
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	wantGaps(t, sink) // it might still be running
	if out, err := storm("20").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	gaps, err := sink.Gaps(t.Context())
	if err != nil || len(gaps) != 1 || gaps[0].To != 0 || !strings.HasSuffix(gaps[0].Instance, "/"+filepath.Base(bot)) {
		t.Errorf("gaps %+v, %v; want the stream of the bot that was killed", gaps, err)
	}
}
