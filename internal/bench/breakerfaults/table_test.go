// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

var write = flag.Bool("write", false, "write the table into the document")

// document shows users which library withstands what.
var document = filepath.FromSlash("../../../docs/features/circuitbreaker.md")

const (
	role    = "HOLDFAST_FAULT" // in a child: which breaker and which fault
	verdict = "verdict: "

	// patience is for a child that a mutex holds for ever: virtual time does
	// not pass there, and the runtime cannot always tell.
	patience = 10 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		os.Exit(m.Run()) // what a fault leaves behind is its business
	}
	leakcheck.Main(m)
}

func TestFaults(t *testing.T) {
	if name := os.Getenv(role); name != "" {
		child(t, name)
		return
	}
	verdicts := all(t)
	bench.Faults(t, document, "faults", *write, breakers, breaker.about, faults, fault.about, func(b breaker, f fault) string { return verdicts[b.name+"/"+f.name] })
}

func (b breaker) about() (name, module string) { return b.name, b.module }
func (f fault) about() string                  { return f.name }

// child lets one fault happen and prints the verdict.
func child(t *testing.T, name string) {
	for _, b := range breakers {
		for _, f := range faults {
			if name == b.name+"/"+f.name {
				synctest.Test(t, func(*testing.T) {
					fmt.Println(verdict + f.happen(b.new))
				})
			}
		}
	}
}

// all collects the verdicts, a few at a time: some children only wait.
func all(t *testing.T) map[string]string {
	verdicts := make(map[string]string)
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for _, b := range breakers {
		for _, f := range faults {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				name, got := b.name+"/"+f.name, "has no such thing"
				if !slices.Contains(b.lacks, f.name) {
					got = run(t, name)
				}
				mu.Lock()
				defer mu.Unlock()
				verdicts[name] = got
			})
		}
	}
	wg.Wait()
	return verdicts
}

// run is one fault in a process of its own.
func run(t *testing.T, name string) string {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestFaults$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), role+"="+name)
	out, err := cmd.CombinedOutput()
	if _, said, ok := bytes.Cut(out, []byte(verdict)); ok && err == nil { // the bubble, too, ended as it should
		line, _, _ := bytes.Cut(said, []byte("\n"))
		return string(line)
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), bytes.Contains(out, []byte("all goroutines are asleep")):
		return "deadlocks"
	case bytes.Contains(out, []byte("fatal error:")):
		return "kills the process"
	}
	t.Errorf("%s ended without a verdict: %v\n%s", name, err, out)
	return "?"
}
