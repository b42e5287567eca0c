// SPDX-License-Identifier: MIT

package seal

import (
	"crypto/rand"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func TestEveryEventCanBeProvedWithoutTheDatabase(t *testing.T) {
	r := newRig(t, 1)
	for range 12 {
		r.write(1 + r.rand.IntN(9))
		r.seal()
	}
	r.erase()
	r.seal()
	r.write(1)
	proved := 0
	for e, err := range r.sink.Query(t.Context(), gormsink.Criteria{}) {
		must(t, err)
		proof, err := r.trails[0].Prove(t.Context(), e.ID)
		if errors.Is(err, ErrNoProof) {
			continue
		}
		must(t, err)
		got, err := CheckProof(r.cfg.Root, proof)
		if err != nil || got.Event != e {
			t.Fatalf("%+v, %v; want %+v", got.Event, err, e)
		}
		proved++
	}
	if report := r.verify(); int64(proved) != report.Intact || report.Erased == 0 {
		t.Errorf("%d proofs; want one for each that is intact\n%s", proved, report)
	}
}

func TestNoProofIsMadeOfWhatIsNotSealedAsItIs(t *testing.T) {
	r := newRig(t, 1)
	r.write(3)
	r.seal()
	ids := r.list("SELECT id FROM lock_audit ORDER BY id")
	r.exec("UPDATE lock_audit SET reason = 'forged' WHERE id = ?", ids[0]["id"])
	if _, err := r.trails[0].Prove(t.Context(), id(ids[0]["id"])); !errors.Is(err, ErrDamaged) {
		t.Errorf("a changed event: %v", err)
	}
	if _, err := r.trails[0].Prove(t.Context(), audit.NewID()); !errors.Is(err, ErrNoProof) {
		t.Errorf("an unknown event: %v", err)
	}
	r.exec("DELETE FROM lock_audit_checkpoint WHERE size > 0")
	if _, err := r.trails[0].Prove(t.Context(), id(ids[1]["id"])); !errors.Is(err, ErrDamaged) {
		t.Errorf("without a checkpoint: %v", err)
	}
}

// The key is for these tests only.
const (
	testKey  = "PRIVATE+KEY+hotel.example/audit+a9f055ce+AehxqcjbG/PTrezoOlkX3ZjKhOSJWBN8wq6FQjR666pJ"
	testRoot = "hotel.example/audit+a9f055ce+AeNhQs7Ij38Kfvjw4tVbLPd4Cpw9b6ZDdcdnpmezHdb7"
)

var testTime = time.UnixMicro(1_790_000_000_000_000).UTC()

// specimens are a certificate and a checkpoint, the same in each process that
// fuzzes. The root key is that of the run, too.
func specimens(t testing.TB) (root note.Verifier, certificate, point string) {
	t.Helper()
	root, err := note.NewVerifier(testRoot)
	must(t, err)
	signer, err := note.NewSigner(testKey)
	must(t, err)
	certificate, err = Certify(signer, testRoot, testTime.Add(-time.Hour), testTime.Add(time.Hour))
	must(t, err)
	c := checkpoint{at: testTime, previous: 2}
	for i := range 3 {
		c.tree.add((&entry{Type: "test", Occurred: int64(i)}).leaf())
	}
	must(t, c.sign(&key{signer: signer, certificate: certificate}))
	return root, certificate, c.text
}

// A witness adds a signature to the note, whose text and own signature stay.
func TestACountersignedCheckpointIsStillOne(t *testing.T) {
	private, public, err := note.GenerateKey(rand.Reader, "witness.example")
	must(t, err)
	witness, err := note.NewSigner(private)
	must(t, err)
	sees, err := note.NewVerifier(public)
	must(t, err)
	countersigned := func(text string) string {
		_, err := note.Open([]byte(text), nil)
		unverified, ok := errors.AsType[*note.UnverifiedNoteError](err)
		if !ok {
			t.Fatal(err)
		}
		signed, err := note.Sign(unverified.Note, witness)
		must(t, err)
		if n, err := note.Open(signed, note.VerifierList(sees)); err != nil || n.Text != text[:strings.Index(text, "\n\n")+1] {
			t.Fatalf("the witness signs %q: %v", signed, err)
		}
		return string(signed)
	}
	r := newRig(t, 1)
	for range 2 {
		r.write(2)
		_, err := r.trails[0].Seal(t.Context())
		must(t, err)
	}
	for _, c := range r.list("SELECT * FROM lock_audit_checkpoint WHERE size > 0") {
		r.exec("UPDATE lock_audit_checkpoint SET note = ? WHERE size = ?", countersigned(c["note"].(string)), c["size"])
	}
	proof, err := r.process().Prove(t.Context(), id(r.one(sealedRows)["id"]))
	must(t, err)
	if got, err := CheckProof(r.cfg.Root, proof); err != nil || !strings.Contains(got.Checkpoint, "witness.example") {
		t.Errorf("%v: %s", err, got.Checkpoint)
	}
	for _, trail := range append(r.trails, r.process()) { // those that have sealed before, and another one
		r.write(1)
		if n, err := trail.Seal(t.Context()); n != 1 || err != nil {
			t.Errorf("%d sealed, %v", n, err)
		}
	}
	if report := r.verify(); report.Findings() != 0 || report.Intact != 9 {
		t.Error(report)
	}
}

// signed is what the signatures of a note are about.
func signed(text string) string {
	if i := strings.LastIndex(text, "\n\n"); i >= 0 {
		return text[:i]
	}
	return text
}

func FuzzCheckpoint(f *testing.F) {
	root, certificate, text := specimens(f)
	f.Add(text)
	f.Add(certificate)
	f.Add(text + text)
	f.Add(strings.Replace(text, "previous 2", "previous 1", 1))
	f.Fuzz(func(t *testing.T, input string) {
		if c, err := openCheckpoint(root, input); err == nil && (signed(input) != signed(text) || c.tree.size != 3) {
			t.Errorf("%q is a checkpoint: %+v", input, c)
		} else if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", input, err)
		}
	})
}

func FuzzCertificate(f *testing.F) {
	root, certificate, text := specimens(f)
	f.Add(text)
	f.Add(certificate)
	f.Add(strings.ToUpper(certificate))
	f.Fuzz(func(t *testing.T, input string) {
		if _, err := openCertificate(root, input); err == nil && signed(input) != signed(certificate) {
			t.Errorf("%q is a certificate", input)
		} else if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", input, err)
		}
	})
}

func FuzzProof(f *testing.F) {
	proof, want := testProof(f)
	f.Add(proof)
	f.Add(strings.Replace(proof, "index 1", "index 0", 1))
	f.Add(proofHead + "\nextra e30=\nindex 0\n\n")
	f.Fuzz(func(t *testing.T, input string) {
		if got, err := CheckProof(testRoot, input); err == nil && got.Event != want {
			t.Errorf("%q proves %+v", input, got)
		} else if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", input, err)
		}
	})
}

// testProof is the proof of an event that is the second of two.
func testProof(t testing.TB) (string, audit.Event) {
	t.Helper()
	e := audit.Event{ID: audit.DerivedID(testTime, "test"), Time: testTime, Type: "test", Details: audit.JSON(map[string]any{"n": 1})}
	first := (&entry{Type: "test"}).leaf()
	salt := make(secret, saltSize)
	row := gormsink.Row{Event: e, Recorded: testTime}
	second := newEntry(&row, salt)
	signer, err := note.NewSigner(testKey)
	must(t, err)
	_, certificate, _ := specimens(t)
	c := checkpoint{at: testTime}
	c.tree.add(first)
	c.tree.add(second.leaf())
	must(t, c.sign(&key{signer: signer, certificate: certificate}))
	proof, err := writeProof(&row, salt, 1, tlog.RecordProof{first}, c.text)
	must(t, err)
	if _, err := CheckProof(testRoot, proof); err != nil {
		t.Fatal(err)
	}
	return proof, e
}

func FuzzErasure(f *testing.F) {
	f.Add([]byte("x"), "")
	f.Add(make([]byte, erasureSize+32), `{"sealed":1,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`)
	f.Fuzz(func(t *testing.T, input []byte, details string) {
		e, ok := parseErasure(audit.ID{1}, input)
		if ok && string(e.bytes()) != string(input) {
			t.Errorf("%x became %x", input, e.bytes())
		}
		if e.noted(details) { // which has the hash of another erasure
			t.Errorf("%x is an erasure of %s", input, details)
		}
	})
}

// A note of Purge explains neither what was sealed after it, nor a note, unless it
// names that type.
func FuzzPurge(f *testing.F) {
	f.Add(`{"before":"2026-11-30T10:00:00Z","type":"test","tenant":"hotel"}`)
	f.Add(`{"before":"2026-11-30T10:00:00Z","type":1}`)
	f.Add(`{"before":1,"before":"2026-11-30T10:00:00Z"}`)
	f.Fuzz(func(t *testing.T, details string) {
		p := make(purges)
		p.add(2, details)
		if p.allow(2, &entry{Type: "test", Tenant: "hotel"}) || p.allow(1, &entry{Type: gormsink.TypePurged}) && !strings.Contains(details, "audit") {
			t.Errorf("%q allows more than it says", details)
		}
	})
}

func FuzzFrontier(f *testing.F) {
	var three frontier
	for i := range int64(3) {
		three.add((&entry{Occurred: i}).leaf())
	}
	root := three.root()
	f.Add(int64(3), root[:], three.bytes())
	f.Add(int64(0), make([]byte, tlog.HashSize), []byte{})
	f.Add(int64(math.MaxInt64), make([]byte, tlog.HashSize), make([]byte, 63*tlog.HashSize))
	f.Fuzz(func(t *testing.T, size int64, root, input []byte) {
		if size < 0 || len(root) != tlog.HashSize { // which openCheckpoint refuses before
			return
		}
		if got, err := parseFrontier(size, tlog.Hash(root), input); err == nil && (string(got.bytes()) != string(input) || got.root() != tlog.Hash(root) || got.size != size) {
			t.Errorf("%d, %x, %x became %+v", size, root, input, got)
		}
	})
}
