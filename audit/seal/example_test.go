// SPDX-License-Identifier: MIT

package seal_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/glebarez/sqlite"
	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
)

// root is the public root key. Its private half is where certify asks.
var root, rootKey = keys()

func keys() (public string, private note.Signer) {
	secret, public, err := seal.GenerateKey("hotel.example/audit")
	if err != nil {
		log.Fatal(err)
	}
	private, err = note.NewSigner(secret)
	if err != nil {
		log.Fatal(err)
	}
	return public, private
}

// certify stands for a request to the machine with the root key.
func certify(_ context.Context, request string) (string, error) {
	return seal.Certify(rootKey, request, time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour))
}

// elsewhere stands for a sink on another machine, and anchors reads it.
var elsewhere = audit.NewMemory()

func anchors(context.Context) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		for _, e := range elsewhere.Events() {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func open() (db *gorm.DB, end func()) {
	dir, err := os.MkdirTemp("", "seal")
	if err != nil {
		log.Fatal(err)
	}
	db, err = gorm.Open(sqlite.Open(filepath.Join(dir, "audit.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"))
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
		os.RemoveAll(dir)
	}
}

func Example() {
	db, end := open()
	defer end()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sink := gormsink.New(db, gormsink.WithHook(seal.Hook))
	seals, err := seal.New(sink, seal.Config{Root: root, Certify: certify, Anchor: elsewhere, Anchors: anchors})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(sink.Migrate(ctx), seals.Migrate(ctx)); err != nil {
		log.Fatal(err)
	}
	seals.Start() // seals every ten seconds
	defer seals.Stop(ctx)

	for _, room := range []string{"101", "102", "103"} {
		e := audit.Event{Type: "room.key.issued", Resource: audit.Entity{Type: "room", ID: room}}
		if err := audit.Direct(sink).Record(ctx, e); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := seals.Seal(ctx); err != nil { // rather than wait
		log.Fatal(err)
	}
	db.Exec("UPDATE lock_audit SET resource_id = '301' WHERE resource_id = '103'") // behind the trail's back

	report, err := seals.Verify(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Findings(), "finding:", report.Intact, "intact,", report.Changed.N, "changed")
	changed := slices.Collect(func(yield func(string) bool) {
		for e := range sink.Query(ctx, gormsink.Criteria{ResourceID: "301"}) {
			yield(e.ID.String())
		}
	})
	fmt.Println("which one is known:", report.Changed.IDs[0].String() == changed[0])
	// Output:
	// 1 finding: 2 intact, 1 changed
	// which one is known: true
}
