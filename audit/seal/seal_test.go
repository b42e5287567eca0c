// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func TestConfigNamesEveryContradiction(t *testing.T) {
	var missing *audit.Memory
	_, err := New(nil, Config{Root: "x", Every: -1, Grace: -1, VerifyEvery: -1, Anchor: missing})
	for _, field := range []string{"Config.Root", "Config.Every", "Config.Grace", "Config.VerifyEvery", "Config.Anchor", "sink"} {
		if !errors.Is(err, audit.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	if _, _, err := GenerateKey("two words"); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("a name of two words: %v", err)
	}
}

// In one process, the loops of Start do what Seal and Verify do.
func TestStartSealsAndVerifiesUntilStop(t *testing.T) {
	r := newRig(t, 1)
	r.write(5)
	sealed, verified := make(chan int), make(chan Report)
	r.cfg.Every, r.cfg.VerifyEvery = time.Millisecond, time.Millisecond
	r.cfg.OnSeal = func(n int, err error) {
		must(t, err)
		select {
		case sealed <- n:
		case <-t.Context().Done():
		}
	}
	r.cfg.OnVerify = func(report Report, err error) {
		must(t, err)
		select {
		case verified <- report:
		case <-t.Context().Done():
		}
	}
	trail := r.process()
	trail.Start()
	trail.Start() // runs already
	stopped := make(chan error)
	for n, report := 0, (Report{}); n < 5 || report.Intact < 5; {
		select {
		case more := <-sealed:
			n += more
		case report = <-verified:
		}
	}
	go func() { stopped <- trail.Stop(t.Context()) }()
	for err := errors.New("runs"); err != nil; {
		select {
		case <-sealed:
		case <-verified:
		case err = <-stopped:
			must(t, err)
		}
	}
	must(t, trail.Stop(t.Context()))
	if s := trail.Stats(); s.Sealed != 5 || s.LastSeal.IsZero() || s.LastVerify.IsZero() || s.LastFindings != 0 || trail.key != nil {
		t.Errorf("%+v, and the key is %v", s, trail.key)
	}
}

func TestAProcessWithoutCertifyOnlyVerifies(t *testing.T) {
	r := newRig(t, 1)
	r.cfg.Certify = nil
	if _, err := r.process().Seal(t.Context()); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
}

// certify makes a rig's processes have certificates of their own.
func (r *rig) certify(root note.Signer, from, until time.Duration) *Trail {
	r.cfg.Certify = func(_ context.Context, request string) (string, error) {
		return Certify(root, request, time.Now().Add(from), time.Now().Add(until))
	}
	return r.process()
}

func TestACheckpointIsGoodOnlyWhileItsKeyIsValid(t *testing.T) {
	r := newRig(t, 1)
	private, _, err := GenerateKey(r.root.Name())
	must(t, err)
	stranger, err := note.NewSigner(private)
	must(t, err)
	r.write(1)
	for name, trail := range map[string]*Trail{
		"not yet valid":      r.certify(r.root, time.Minute, time.Hour),
		"not valid any more": r.certify(r.root, -time.Hour, -time.Minute),
		"of another root":    r.certify(stranger, -time.Minute, time.Hour),
	} {
		if n, err := trail.Seal(t.Context()); !errors.Is(err, ErrDamaged) || n != 0 {
			t.Errorf("%s: %d sealed, %v", name, n, err)
		}
	}
	// A thief of a key signs what was before or after its time.
	for name, at := range map[string]time.Duration{"before": -2 * time.Minute, "after": 2 * time.Hour} {
		k, err := newKey(t.Context(), r.trails[0].root, r.trails[0].cfg.Certify)
		must(t, err)
		c := checkpoint{at: time.Now().Add(at)}
		must(t, c.sign(k))
		if _, err := openCheckpoint(r.trails[0].root, c.text); !errors.Is(err, ErrDamaged) {
			t.Errorf("a checkpoint from %s the time of its key: %v", name, err)
		}
	}
}

func TestAKeyIsRenewedInTimeAndKeptWithAnErrorWhenThatFails(t *testing.T) {
	r := newRig(t, 1)
	asked, refuse, unreachable := 0, false, errors.New("unreachable")
	trail := r.process()
	certify := trail.cfg.Certify
	trail.cfg.Certify = func(ctx context.Context, request string) (string, error) {
		if asked++; refuse {
			return "", unreachable
		}
		return certify(ctx, request)
	}
	step := func(want int, wanted error) {
		t.Helper()
		r.write(1)
		if n, err := trail.Seal(t.Context()); n != 1 || !errors.Is(err, wanted) || asked != want {
			t.Errorf("%d sealed, %v, asked %d times, want %d", n, err, asked, want)
		}
	}
	step(1, nil)
	step(1, nil)
	trail.key.renew = time.Now()
	step(2, nil)
	refuse, trail.key.renew = true, time.Now()
	step(3, unreachable)
	trail.key.until = time.Now()
	if _, err := trail.Seal(t.Context()); err == nil {
		t.Error("sealed with a key that is not valid any more")
	}
	if report := r.verify(); report.Findings() != 0 || report.Intact != 4 {
		t.Error(report)
	}
}

// failing is an anchor that can be down.
type failing struct {
	audit.Sink
	down bool
}

func (f *failing) Write(ctx context.Context, batch []audit.Event) error {
	if f.down {
		return audit.ErrUnavailable
	}
	return f.Sink.Write(ctx, batch)
}

func TestAnAnchorThatIsDownGetsTheNewestCheckpointLater(t *testing.T) {
	r := newRig(t, 1)
	anchor := &failing{Sink: r.anchor, down: true}
	r.cfg.Anchor = anchor
	trail := r.process()
	for range 2 {
		r.write(2)
		if n, err := trail.Seal(t.Context()); n != 2 || !errors.Is(err, audit.ErrUnavailable) {
			t.Errorf("%d sealed, %v", n, err)
		}
	}
	anchor.down = false
	for range 2 {
		if n, err := r.process().Seal(t.Context()); n != 0 || err != nil { // another run of the program
			t.Errorf("%d sealed, %v", n, err)
		}
	}
	if events := r.anchor.Events(); len(events) != 1 || events[0].Type != TypeAnchor {
		t.Errorf("the anchor has %v, want the newest checkpoint once", events)
	}
}

func TestAnchorsThatCannotBeReadAreReported(t *testing.T) {
	r := newRig(t, 1)
	r.write(1)
	r.seal()
	good := r.anchor.Events()[0]
	forged := good
	forged.Details = audit.JSON(map[string]any{"checkpoint": "forged"})
	trail := r.process()
	trail.cfg.Anchors = func(context.Context) iter.Seq2[audit.Event, error] {
		return func(yield func(audit.Event, error) bool) {
			_ = yield(audit.Event{Type: "other"}, nil) && yield(audit.Event{}, &gormsink.RowError{}) && yield(forged, nil) && yield(good, nil)
		}
	}
	if report, err := trail.Verify(t.Context()); report.DamagedParts != 2 || err != nil {
		t.Errorf("%v\n%swant the one that cannot be read, and the forged one", err, report)
	}
	trail.cfg.Anchors = func(context.Context) iter.Seq2[audit.Event, error] {
		return func(yield func(audit.Event, error) bool) { yield(audit.Event{}, audit.ErrUnavailable) }
	}
	if _, err := trail.Verify(t.Context()); !errors.Is(err, audit.ErrUnavailable) {
		t.Errorf("%v, want the error of the anchors", err)
	}
}

func TestNothingIsAppendedToADamagedTree(t *testing.T) {
	for name, damage := range map[string]string{
		"the newest checkpoint changed": "UPDATE lock_audit_checkpoint SET note = note || 'x' WHERE size = 4",
		"the newest checkpoint gone":    "DELETE FROM lock_audit_checkpoint WHERE size = 4",
		"all gone":                      "DELETE FROM lock_audit_checkpoint",
		"at another size":               "UPDATE lock_audit_checkpoint SET size = 5 WHERE size = 4",
	} {
		r := newRig(t, 1)
		for range 2 {
			r.write(2)
			_, err := r.trails[0].Seal(t.Context())
			must(t, err)
		}
		r.exec(damage)
		r.write(1)
		if n, err := r.trails[0].Seal(t.Context()); n != 0 || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %d sealed, %v; want ErrDamaged", name, n, err)
		}
	}
}

func TestRowsThatCannotBeReadAreNotSealedAndKeepNoOtherFromIt(t *testing.T) {
	r := newRig(t, 1)
	r.write(3)
	r.exec("UPDATE lock_audit SET outcome = 'none' WHERE id = (SELECT MIN(id) FROM lock_audit)")
	r.seal()
	if report := r.verify(); report.Intact != 2 || report.Unsealed != 1 || report.Findings() != 0 {
		t.Error(report)
	}
	r.exec("UPDATE lock_audit SET outcome = 'none'")
	if report := r.verify(); report.Changed.N != 2 {
		t.Error(report)
	}
}

// A million attempts at a guess find nothing, because there is nothing to compare
// with: the salt is gone.
func TestEraseLeavesNoSaltOfWhatWasErased(t *testing.T) {
	r := newRig(t, 1)
	r.write(40)
	r.seal()
	before := make(map[audit.ID][]byte)
	page, err := r.trails[0].page(r.db, 0, 100)
	must(t, err)
	for _, l := range page {
		before[l.ID] = l.salt
	}
	var done int64
	for done == 0 {
		done = r.erase().Events
	}
	if report := r.verify(); report.Pending != done || report.Erased != 0 || report.Findings() != 0 {
		t.Errorf("%swant %d pending until the note is sealed", report, done)
	}
	r.seal()
	if report := r.verify(); report.Erased != done || report.Pending != 0 || report.Findings() != 0 {
		t.Errorf("%swant %d erased", report, done)
	}
	page, err = r.trails[0].page(r.db, 0, 100)
	must(t, err)
	gone := int64(0)
	for _, l := range page {
		if before[l.ID] != nil && l.salt == nil {
			gone++
			if strings.Contains(string(l.erased), string(before[l.ID])) {
				t.Errorf("the old salt of %s is still there", l.ID)
			}
		}
	}
	if gone != done {
		t.Errorf("%d salts are gone, want %d", gone, done)
	}
}

func TestWhatAPurgeDeletedIsPendingUntilItsNoteIsSealed(t *testing.T) {
	r := newRig(t, 1)
	r.write(10)
	r.seal()
	n, err := r.sink.Purge(t.Context(), gormsink.Expiry{Before: time.Now().Add(-50 * time.Hour)})
	must(t, err)
	if report := r.verify(); n == 0 || report.Pending != n || report.Purged != 0 || report.Intact != 10-n || report.Findings() != 0 {
		t.Errorf("%swant %d pending", report, n)
	}
	r.seal()
	if report := r.verify(); report.Purged != n || report.Pending != 0 || report.Findings() != 0 {
		t.Errorf("%swant %d purged", report, n)
	}
}

// Else the hash of its details, by which erased events are known, would be lost.
func TestANoteIsSealedBeforeItCanBeErased(t *testing.T) {
	r := newRig(t, 1)
	r.write(40)
	r.seal()
	for r.erase().Events == 0 {
	}
	clerk := func() error {
		_, err := r.sink.Erase(t.Context(), gormsink.Person{Type: "clerk", ID: "cleo", Tenant: r.noteTenant()}, gormsink.Erasure{By: audit.Entity{ID: "boss"}, Reason: "left"})
		return err
	}
	if err := clerk(); !errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), "is not sealed yet") {
		t.Errorf("%v, want the reason", err)
	}
	r.seal()
	must(t, clerk())
	r.seal()
	if report := r.verify(); report.Findings() != 0 {
		t.Error(report)
	}
}

func (r *rig) noteTenant() (tenant string) {
	must(r, r.db.Raw("SELECT tenant FROM lock_audit WHERE type = ?", gormsink.TypeErased).Scan(&tenant).Error)
	return tenant
}

func TestWithoutItsTablesTheHookUndoesThePage(t *testing.T) {
	r := newRig(t, 1)
	r.write(3)
	r.exec("DELETE FROM lock_audit_checkpoint")
	n, err := r.sink.Purge(t.Context(), gormsink.Expiry{Before: time.Now()})
	if n != 0 || err == nil || r.count(r.table) != 3 {
		t.Errorf("%d deleted, %v, and %d are left", n, err, r.count(r.table))
	}
}

// The tree of the frontier is the one of the reference implementation.
func TestFrontiersAreTheTreesOfTlog(t *testing.T) {
	var f frontier
	var stored []tlog.Hash
	for n := range int64(200) {
		h := tlog.RecordHash([]byte{byte(n)})
		f.add(h)
		more, err := tlog.StoredHashesForRecordHash(n, h, reader(stored))
		must(t, err)
		stored = append(stored, more...)
		want, err := tlog.TreeHash(n+1, reader(stored))
		must(t, err)
		if f.root() != want {
			t.Fatalf("the root of %d leaves differs", n+1)
		}
		if back, err := parseFrontier(f.size, want, f.bytes()); err != nil || back.root() != want {
			t.Fatalf("%d leaves: %v", n+1, err)
		}
	}
}
