// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// sink connects to the database of the trail.
func (t *tool) sink() (*gormsink.Sink, error) {
	dialector := postgres.Open(t.audit)
	if file, ok := strings.CutPrefix(t.audit, "sqlite:"); ok {
		dialector = sqlite.Open(file)
	} else if !strings.HasPrefix(t.audit, "postgres://") && !strings.HasPrefix(t.audit, "postgresql://") {
		return nil, fmt.Errorf("%w: -audit wants postgres://... or sqlite:FILE", errUsage)
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, fmt.Errorf("the audit trail: %w", err)
	}
	if pool, err := db.DB(); err == nil {
		t.closing = append(t.closing, func() { pool.Close() })
	}
	return gormsink.New(db), nil
}

// trail returns where changes are recorded: nowhere, with a warning, without
// -audit. stored waits until they are.
func (t *tool) trail(ctx context.Context) (recorder audit.Recorder, stored func() error, err error) {
	if t.audit == "" {
		fmt.Fprintln(t.errs, "holdfastctl: without -audit, the change is not recorded in the audit trail")
		return nil, func() error { return nil }, nil
	}
	sink, err := t.sink()
	if err != nil {
		return nil, nil, err
	}
	log, err := audit.New(sink, audit.Config{Name: "holdfastctl"})
	if err != nil {
		return nil, nil, err
	}
	return log, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return log.Close(ctx)
	}, nil
}

func export(ctx context.Context, t *tool, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: export takes no arguments", errUsage)
	}
	var c gormsink.Criteria
	for _, bound := range []struct {
		flag, text string
		at         *time.Time
	}{{"-from", t.from, &c.From}, {"-to", t.to, &c.To}} {
		if bound.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, bound.text)
		if err != nil {
			at, err = time.Parse(time.DateOnly, bound.text)
		}
		if err != nil {
			return fmt.Errorf("%w: %s wants a time such as 2006-01-02 or 2006-01-02T15:04:05Z", errUsage, bound.flag)
		}
		*bound.at = at
	}
	sink, err := t.sink()
	if err != nil {
		return err
	}
	n, err := sink.Export(ctx, t.out, c)
	fmt.Fprintln(t.errs, n, "events")
	return err
}

// gap is what is printed of a gap.
type gap struct {
	Stream   string `json:"stream"`
	Instance string `json:"instance,omitempty"`
	Log      string `json:"log,omitempty"`
	From     uint64 `json:"from"`
	To       uint64 `json:"to,omitempty"` // 0 for a stream that was cut off
	Missing  uint64 `json:"missing,omitempty"`
}

func gaps(ctx context.Context, t *tool, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: gaps takes no arguments", errUsage)
	}
	sink, err := t.sink()
	if err != nil {
		return err
	}
	found, err := sink.Gaps(ctx)
	if err != nil {
		return err
	}
	var rows []gap
	for _, g := range found {
		rows = append(rows, gap{g.Stream.String(), g.Instance, g.Log, g.From, g.To, g.Missing})
	}
	return print(t, "STREAM INSTANCE LOG FROM TO MISSING", rows, func(g gap) []any {
		if g.To == 0 {
			return []any{g.Stream, g.Instance, g.Log, g.From, "the end", "unknown"}
		}
		return []any{g.Stream, g.Instance, g.Log, g.From, g.To, g.Missing}
	})
}
