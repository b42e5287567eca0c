// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Config configures a [Trail].
type Config struct {
	// Root is the public root key of [GenerateKey]; required. Its name is the origin
	// of the checkpoints.
	Root string
	// Certify returns a certificate for the key of this process, from a place that has
	// the private root key; see [Certify]. It is called by the first Seal, and again
	// when two thirds of a certificate's time are over. nil: this process verifies
	// only.
	Certify func(ctx context.Context, request string) (certificate string, err error)
	// Anchor gets an event of [TypeAnchor] with each checkpoint: a sink on another
	// machine or in another account. It must not write to the sealed table itself. nil:
	// nowhere, and a tail that is cut off is not seen.
	Anchor audit.Sink
	// Anchors returns what Anchor was given, for Verify, in any order; nil: nothing.
	// Other events are skipped.
	Anchors func(ctx context.Context) iter.Seq2[audit.Event, error]
	// Every is the time between two seals of [Trail.Start]; default 10 s.
	Every time.Duration
	// Grace is how long after its time of writing an event may be committed and still
	// be sealed, one hour by default. It must be longer than the longest transaction
	// of gormsink's In and the differences of clocks.
	Grace time.Duration
	// VerifyEvery is the time between two verifications of [Trail.Start]; 0: none.
	VerifyEvery time.Duration
	// OnVerify gets the result of each verification of Start, for Metrics.AuditVerified
	// or a log. It is called on the goroutine that verifies.
	OnVerify func(Report, error)
	// OnSeal gets the result of each seal of Start, for a log. It is called on the
	// goroutine that seals.
	OnSeal func(sealed int, err error)
}

// Trail seals and verifies the table of a sink. Its methods are safe for concurrent
// use, also by several processes.
type Trail struct {
	cfg    Config
	sink   *gormsink.Sink
	root   note.Verifier
	seals  string // the table of the leaves
	points string // the table of the checkpoints

	turn   chan struct{} // held while this process seals; guards what follows
	key    *key
	seen   checkpoint // the newest one that this process has read
	whole  time.Time  // of the last look at all that is younger than Grace
	looks  uint       // of the background, see back
	mirror int64      // the size of the last checkpoint that the anchor has

	mu    sync.Mutex
	stats Stats
	run   *run
}

// Stats is what the background of [Trail.Start] and direct calls have done.
type Stats struct {
	Sealed       uint64    // events, by this process
	LastSeal     time.Time // that succeeded; zero before the first
	LastVerify   time.Time // that came to a result; zero before the first
	LastFindings int64     // Findings of that result
}

// New returns a Trail for the table of sink, which should have [Hook] if it erases or
// purges. It does no I/O; call Migrate before the first seal.
func New(sink *gormsink.Sink, cfg Config) (*Trail, error) {
	problems := configerr.Collect(func(field string, value any, want string) error {
		return fmt.Errorf("%w: %s", audit.ErrInvalid, configerr.Text("seal", field, value, want))
	})
	configerr.Default(&cfg.Every, 10*time.Second)
	configerr.Default(&cfg.Grace, time.Hour)
	cfg.Grace = min(cfg.Grace, math.MaxInt64/2) // no overflow
	root, err := note.NewVerifier(cfg.Root)
	problems.Want(err == nil, "Config.Root", cfg.Root, "a public key of GenerateKey")
	problems.Want(cfg.Every > 0, "Config.Every", cfg.Every, "more than 0")
	problems.Want(cfg.Grace > 0, "Config.Grace", cfg.Grace, "more than 0")
	problems.Want(cfg.VerifyEvery >= 0, "Config.VerifyEvery", cfg.VerifyEvery, "0 or more")
	problems.Want(sink != nil, "sink", nil, "a sink")
	problems.Want(cfg.Anchor == nil || !configerr.IsNil(cfg.Anchor), "Config.Anchor", nil, "a sink")
	if err := problems.Err(); err != nil {
		return nil, err
	}
	seals, points := tables(sink)
	return &Trail{cfg: cfg, sink: sink, root: root, seals: seals, points: points, turn: make(chan struct{}, 1)}, nil
}

func tables(sink *gormsink.Sink) (seals, points string) {
	return sink.Table() + "_seal", sink.Table() + "_checkpoint"
}

// Stats returns what this process has done.
func (t *Trail) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

func (t *Trail) count(change func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.stats)
}

// types of columns: the id as gormsink has it, so that an index serves the join; a
// text that is compared byte by byte; a long text; and bytes.
// The last two are around an insert of what may be there already.
var types = map[string]struct{ id, code, text, bytes, insert, unlessThere string }{
	"postgres": {"uuid", "text", "text", "bytea", "INSERT INTO ", " ON CONFLICT DO NOTHING"},
	"sqlite":   {"text", "text", "text", "blob", "INSERT INTO ", " ON CONFLICT DO NOTHING"},
	"mysql": {"char(36) CHARACTER SET ascii COLLATE ascii_bin", fmt.Sprintf("varbinary(%d)", audit.MaxText),
		"mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "varbinary(1024)", "INSERT IGNORE INTO ", ""},
}

// Migrate makes the tables <table>_seal, with a row for each sealed event, and
// <table>_checkpoint, if they are not there. Several processes may call it at the
// same time.
func (t *Trail) Migrate(ctx context.Context) error {
	return t.sink.Change(ctx, "seal: migrate", func(tx *gorm.DB) error {
		if tx.Dialector.Name() == "postgres" {
			if err := tx.Exec("SELECT pg_advisory_xact_lock(hashtext(?))", "holdfast/seal/"+t.seals).Error; err != nil {
				return err
			}
		}
		c := types[tx.Dialector.Name()]
		for _, statement := range []string{
			"CREATE TABLE IF NOT EXISTS " + t.seals + " (idx bigint NOT NULL PRIMARY KEY, id " + c.id + " NOT NULL UNIQUE, occurred bigint NOT NULL, recorded bigint NOT NULL, " +
				"type " + c.code + " NOT NULL, tenant " + c.code + " NOT NULL, scope " + c.text + " NOT NULL, hash " + c.bytes + " NOT NULL, salt " + c.bytes + ", erased " + c.bytes + ")",
			"CREATE TABLE IF NOT EXISTS " + t.points + " (size bigint NOT NULL PRIMARY KEY, note " + c.text + " NOT NULL, turn bigint NOT NULL)",
			// The row of size 0 is no checkpoint. Who seals or erases changes its turn.
			c.insert + t.points + " (size, note, turn) VALUES (0, '', 0)" + c.unlessThere,
		} {
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// Start seals every Config.Every, unless another process has just done so, and
// verifies every Config.VerifyEvery, in the background until Stop has ended. It does
// nothing when it runs already. A seal or a verification that takes longer than its
// interval delays the next one.
func (t *Trail) Start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.run != nil {
		return
	}
	r := &run{done: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	t.run = r
	go t.work(r)
}

// Stop ends what Start began, and waits until it has ended or ctx has; then it
// returns ctx's error. The key of the run is forgotten.
func (t *Trail) Stop(ctx context.Context) error {
	t.mu.Lock()
	r := t.run
	t.mu.Unlock()
	if r == nil {
		return nil
	}
	r.cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("seal: stop: %w", ctx.Err())
	}
}

// run is one run of the background.
type run struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

func (t *Trail) work(r *run) {
	var loops sync.WaitGroup
	if t.cfg.Certify != nil {
		loops.Go(func() {
			r.each(t.cfg.Every, func() {
				n, err := t.seal(r.ctx, t.cfg.Every/2)
				if t.cfg.OnSeal != nil && (err == nil || r.ctx.Err() == nil) {
					t.cfg.OnSeal(n, err)
				}
			})
		})
	}
	if t.cfg.VerifyEvery > 0 {
		loops.Go(func() {
			r.each(t.cfg.VerifyEvery, func() {
				report, err := t.Verify(r.ctx)
				if t.cfg.OnVerify != nil && (err == nil || r.ctx.Err() == nil) {
					t.cfg.OnVerify(report, err)
				}
			})
		})
	}
	loops.Wait()
	t.turn <- struct{}{}
	t.key = nil
	<-t.turn
	t.mu.Lock()
	t.run = nil
	t.mu.Unlock()
	close(r.done)
}

// each calls do at once and after each interval.
func (r *run) each(interval time.Duration, do func()) {
	timer := time.NewTicker(interval)
	defer timer.Stop()
	for r.ctx.Err() == nil {
		do()
		select {
		case <-timer.C:
		case <-r.ctx.Done():
		}
	}
}
