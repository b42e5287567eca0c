// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/seal"
)

var errFindings = errors.New("the trail is not as it was sealed")

// verify compares the audit trail with its seals.
func verify(ctx context.Context, t *tool, args []string) error {
	if len(args) > 0 || t.root == "" {
		return fmt.Errorf("%w: verify takes no arguments, and wants -root", errUsage)
	}
	sink, err := t.sink()
	if err != nil {
		return err
	}
	cfg := seal.Config{Root: t.root}
	if t.anchor != "" {
		cfg.Anchors = func(context.Context) iter.Seq2[audit.Event, error] { return lines(t.anchor) }
	} else {
		fmt.Fprintln(t.errs, "holdfastctl: without -anchor, a tail that was cut off is not seen")
	}
	trail, err := seal.New(sink, cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	report, err := trail.Verify(ctx)
	if err != nil {
		return err
	}
	if t.json {
		err = json.NewEncoder(t.out).Encode(report)
	} else {
		_, err = fmt.Fprint(t.out, report)
	}
	if err == nil && report.Findings() > 0 {
		err = errFindings
	}
	return err
}

// lines reads a file of JSON lines, as audit.NewJSONLines writes it.
func lines(file string) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		f, err := os.Open(file)
		if err != nil {
			yield(audit.Event{}, err)
			return
		}
		defer f.Close()
		all := bufio.NewScanner(f)
		all.Buffer(nil, 1<<20)
		for all.Scan() {
			var e audit.Event
			err := json.Unmarshal(all.Bytes(), &e)
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := all.Err(); err != nil {
			yield(audit.Event{}, err)
		}
	}
}
