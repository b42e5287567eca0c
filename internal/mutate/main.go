// SPDX-License-Identifier: MIT

// Command mutate changes one place of the product at a time and runs the tests
// that should notice.
//
//	go run ./internal/mutate -n 200 -seed 1
//	go run ./internal/mutate -dirs session/exclusive.go -n 1000
//
// It is run in the root of the tree, changes nothing there, and needs what the
// tests need. A change is an operator, a condition, a number of a script, or a
// call or assignment left out. It exits with 1 when a mutant survives that is
// not in survivors.txt, or one dies that is.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// dirs are the folders that are mutated by default.
const dirs = "circuitbreaker,session,session/memsession,session/redissession,audit,audit/gormsink,lock,lock/memlock,lock/redislock"

func main() {
	n := flag.Int("n", 200, "at how many places")
	seed := flag.Int("seed", 1, "which places")
	dirs := flag.String("dirs", dirs, "folders or files, with commas between")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	wrong, err := run(ctx, *n, *seed, strings.Split(*dirs, ","))
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	for _, line := range wrong {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(wrong) > 0 {
		os.Exit(1)
	}
}

// run prints a line for each mutant and how many were killed, and returns what
// is not as the list of survivors says.
func run(ctx context.Context, n, seed int, paths []string) (wrong []string, err error) {
	root, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	reasons, err := survivors(list)
	if err != nil {
		return nil, err
	}
	all, err := picked(root, seed, paths)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	s := &suite{root: root, tmp: tmp, took: make(map[string]time.Duration)}
	var count tally
	for _, m := range all {
		if count.tried() == n {
			break
		}
		v, err := s.try(ctx, m)
		if err != nil {
			return nil, err
		}
		reason, listed := reasons[m.name()]
		switch {
		case v == survived && !listed:
			wrong = append(wrong, "SURVIVED "+m.name())
		case v == killed && listed:
			wrong = append(wrong, "KILLED, although listed: "+m.name())
		case v == survived:
			v = "listed"
		}
		count.add(m, v)
		fmt.Printf("%-8s %s:%d: %s: %s\n", v, m.file, m.line, m.change, cmp.Or(reason, shortened(m.result)))
	}
	fmt.Print(count)
	return wrong, nil
}

// picked lists the mutants of the paths in the order in which the seed picks.
func picked(root string, seed int, paths []string) (all []mutant, err error) {
	for _, path := range paths {
		list, err := mutants(root, path)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 || targets[list[0].dir()] == nil {
			return nil, fmt.Errorf("nothing to mutate in %s", path)
		}
		all = append(all, list...)
	}
	rank := make(map[string]string, len(all))
	for _, m := range all {
		rank[m.name()] = m.rank(seed)
	}
	slices.SortFunc(all, func(a, b mutant) int { return cmp.Compare(rank[a.name()], rank[b.name()]) })
	return all, nil
}

func shortened(s string) string {
	if len(s) > 160 {
		return s[:160] + "…"
	}
	return s
}

// tally counts verdicts: those of Go, then those of Lua.
type tally [2]map[verdict]int

func (t *tally) add(m mutant, v verdict) {
	i := 0
	if m.lua() {
		i = 1
	}
	if t[i] == nil {
		t[i] = make(map[verdict]int)
	}
	t[i][v]++
}

// tried is how many mutants have run.
func (t tally) tried() (n int) {
	for _, language := range t {
		for v, count := range language {
			if v != invalid {
				n += count
			}
		}
	}
	return n
}

func (t tally) String() string {
	var b strings.Builder
	for i, name := range []string{"Go", "Lua"} {
		c := t[i]
		fmt.Fprintf(&b, "%-4s %d killed, %d survived, %d listed as equivalent; %d did not compile\n",
			name, c[killed], c[survived], c["listed"], c[invalid])
	}
	return b.String()
}
