// SPDX-License-Identifier: MIT

// Package leakcheck fails a test binary whose goroutines outlive its tests.
package leakcheck

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience bounds how long Main waits for goroutines that are about to end.
const patience = 5 * time.Second

// Main runs the tests and exits. Use it as the whole of a TestMain:
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if left := left(patience); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "leakcheck: %d goroutines outlived the tests:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		code = 1
	}
	os.Exit(code)
}

// left returns the stacks of the goroutines that are neither the caller's nor
// the runtime's or the test framework's own, after waiting for them to end.
func left(patience time.Duration) []string {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left := running()
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// framework names functions that mark a goroutine as not a test's own.
var framework = []string{
	"testing.(*T).Run(", "testing.(*F).Fuzz(", "testing.runFuzzing(", "testing.runFuzzTests(", "testing.tRunner.func", "testing.(*M).",
	"runtime.goexit0(", "os/signal.signal_recv(", "os/signal.loop(", "runtime.ensureSigM(", "runtime/trace.Start",
}

func running() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var left []string
	for _, stack := range strings.Split(strings.TrimSpace(string(buf)), "\n\n")[1:] { // the first is the caller's
		if !isFramework(stack) {
			left = append(left, stack)
		}
	}
	return left
}

func isFramework(stack string) bool {
	for _, name := range framework {
		if strings.Contains(stack, name) {
			return true
		}
	}
	return false
}
