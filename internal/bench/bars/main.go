// SPDX-License-Identifier: MIT

// Command bars measures the suites, prints their tables, and exits with 1 when
// a bar is missed.
package main

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/bench/auditbench"
	"github.com/holdfast-go/holdfast/internal/bench/breakerbench"
	"github.com/holdfast-go/holdfast/internal/bench/lockbench"
	"github.com/holdfast-go/holdfast/internal/bench/metricsbench"
	"github.com/holdfast-go/holdfast/internal/bench/sessionbench"
)

// suites are all there are, by the name of what they compare.
var suites = []struct {
	name string
	make func(testing.TB) bench.Suite
}{
	{"audit", auditbench.Suite},
	{"circuitbreaker", breakerbench.Suite},
	{"durability", auditbench.Durability},
	{"lock", lockbench.Suite},
	{"metrics", metricsbench.Suite},
	{"session", sessionbench.Suite},
}

func main() {
	only := flag.String("suite", "", "measure this suite only")
	rounds := flag.Int("rounds", 30, "interleaved rounds, at least 10")
	sample := flag.Duration("sample", 20*time.Millisecond, "length of a case's part of a round")
	write := flag.String("write", "", "write the tables into this document")
	flag.Parse()

	missed, err := run(*only, *write, bench.Options{Rounds: *rounds, Sample: *sample})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bars:", err)
		os.Exit(2)
	}
	for _, m := range missed {
		fmt.Fprintln(os.Stderr, "MISSED", m)
	}
	if len(missed) > 0 {
		os.Exit(1)
	}
}

func run(only, document string, o bench.Options) (missed []string, err error) {
	measured := 0
	for _, s := range suites {
		if only != "" && only != s.name {
			continue
		}
		measured++
		r, err := bench.Run(s.make, o)
		if err != nil {
			return nil, err
		}
		fmt.Printf("%s: %s\n", s.name, r.Table())
		if document != "" {
			if err := r.Write(document); err != nil {
				return nil, err
			}
		}
		missed = append(missed, r.Missed()...)
	}
	if measured == 0 {
		return nil, fmt.Errorf("there is no suite %q", only)
	}
	return missed, nil
}
