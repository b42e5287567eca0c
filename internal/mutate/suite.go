// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// targets lists for each folder the runs of go test that its mutants have to
// survive: the quickest first, since one that fails is enough.
var targets = map[string][]string{
	"circuitbreaker":       {"./circuitbreaker", "./circuitbreaker/breakerhttp"},
	"session":              {"./session", "./session/memsession", "-short ./session/redissession"},
	"session/memsession":   {"./session/memsession", "./session"},
	"session/redissession": {"-short ./session/redissession", "./session/redissession"},
	"audit":                {"./audit", "./audit/audittest", "./audit/gormsink"},
	"audit/gormsink":       {"./audit/gormsink"},
	"lock":                 {"./lock", "./lock/memlock", "./lock/redislock"},
	"lock/memlock":         {"./lock/memlock", "./lock"},
	"lock/redislock":       {"./lock/redislock"},
}

type verdict string

const (
	killed   verdict = "killed"
	survived verdict = "survived"
	invalid  verdict = "invalid" // it does not compile
)

// suite runs tests, and knows how long each run takes without a change.
type suite struct {
	root, tmp string
	took      map[string]time.Duration
}

// try gives the verdict on a mutant.
func (s *suite) try(ctx context.Context, m mutant) (verdict, error) {
	path := filepath.Join(s.root, filepath.FromSlash(m.file))
	changed, overlay := filepath.Join(s.tmp, "changed"), filepath.Join(s.tmp, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(changed, m.apply(), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", err
	}
	for _, args := range targets[m.dir()] {
		if err := s.warm(ctx, args); err != nil {
			return "", err
		}
		out, err := s.test(ctx, args, "-overlay", overlay, "-timeout", (3*s.took[args] + 20*time.Second).String())
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case bytes.Contains(out, []byte("[build failed]")):
			return invalid, nil
		case err != nil:
			return killed, nil
		}
	}
	return survived, nil
}

// warm runs the tests once without a change: if they fail then, they say
// nothing about mutants.
func (s *suite) warm(ctx context.Context, args string) error {
	if _, ok := s.took[args]; ok {
		return nil
	}
	start := time.Now()
	if out, err := s.test(ctx, args); err != nil {
		return fmt.Errorf("go test %s, without a change: %w\n%s", args, err, out)
	}
	s.took[args] = time.Since(start)
	return nil
}

func (s *suite) test(ctx context.Context, args string, flags ...string) ([]byte, error) {
	flags = append([]string{"test", "-count=1", "-failfast", "-vet=off"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(flags, strings.Fields(args)...)...)
	cmd.Dir = s.root
	cmd.Env = append(os.Environ(), "HOLDFAST_LONG=")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd.CombinedOutput()
}
