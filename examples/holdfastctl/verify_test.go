// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
)

func TestVerifyNamesARowThatWasChanged(t *testing.T) {
	s := newService(t)
	file, anchor := strings.TrimPrefix(s.audit, "sqlite:"), filepath.Join(t.TempDir(), "anchor.jsonl")
	db, err := gorm.Open(sqlite.Open(file), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := db.DB()
	defer pool.Close()
	secret, public, err := seal.GenerateKey("hotel.example/audit")
	if err != nil {
		t.Fatal(err)
	}
	root, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := audit.NewJSONLines(anchor)
	defer elsewhere.Close()
	sink := gormsink.New(db)
	trail, err := seal.New(sink, seal.Config{Root: public, Anchor: elsewhere, Certify: func(_ context.Context, request string) (string, error) {
		return seal.Certify(root, request, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	}})
	if err != nil {
		t.Fatal(err)
	}
	e := audit.Event{ID: audit.NewID(), Type: "test"}
	for _, step := range []func() error{
		func() error { return sink.Migrate(t.Context()) },
		func() error { return trail.Migrate(t.Context()) },
		func() error { return audit.Direct(sink).Record(t.Context(), e) },
		func() error { _, err := trail.Seal(t.Context()); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}

	s.ctl(2, "", "verify") // without the key
	s.ctl(2, "", "verify", "-root", "none")
	s.ctl(1, "", "verify", "-root", public, "-anchor", "none")
	if out, _ := s.ctl(0, "", "verify", "-root", public, "-anchor", anchor); !strings.Contains(out, "1 intact") {
		t.Errorf("%s", out)
	}
	db.Exec("UPDATE lock_audit SET outcome = 'denied' WHERE id = ?", e.ID.String())
	if out, _ := s.ctl(1, "", "verify", "-root", public); !strings.Contains(out, "changed "+e.ID.String()) {
		t.Errorf("%s", out)
	}
	out, _ := s.ctl(1, "", "verify", "-root", public, "-json")
	var report seal.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Changed.IDs[0] != e.ID {
		t.Errorf("%v: %s", err, out)
	}
	db.Exec("DELETE FROM lock_audit_seal")
	db.Exec("DELETE FROM lock_audit_checkpoint WHERE size > 0")
	if out, _ := s.ctl(1, "", "verify", "-root", public, "-anchor", anchor); !strings.Contains(out, "cut off") {
		t.Errorf("%s", out)
	}
}
