// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"strings"
	"testing"
)

// command runs the program with nothing on its standard input.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestFlagsThatMakeNoSenseAreOneErrorAndExitCode2(t *testing.T) {
	for _, args := range []string{
		"-nonsense", "-seed x", "-rooms", "stray",
		"-script a -storm 3", "-script=", "-storm 0", "-storm -1", "-no-locks", "-no-locks -script -",
		"-storm 3 -addr :0", "-storm 3 -open", "-script - -open", "-script - -addr :0", "-storm 3 -host a",
		"-rooms 0", "-rooms 1001",
		"-audit mysql://x", "-audit sqlite:", "-audit=", "-redis=", "-redis a,,b", "-pms nowhere", "-pms=",
	} {
		code, out, errs := command(t, strings.Fields(args)...)
		if code != 2 || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "reservationbot: ") {
			t.Errorf("%s: code %d, %q, %q; want 2 and one line", args, code, out, errs)
		}
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	code, out, _ := command(t, "-help")
	for _, name := range []string{"script", "storm", "rooms", "no-locks", "redis", "audit", "spool", "seal", "pms", "addr", "host", "open", "seed"} {
		if !strings.Contains(out, "  -"+name) {
			t.Errorf("help does not name -%s", name)
		}
	}
	if !strings.Contains(out, "SESSION_CLEANUP_INTERVAL") {
		t.Error("help does not name SESSION_CLEANUP_INTERVAL")
	}
	if code != 0 {
		t.Errorf("help exits with %d", code)
	}
}

func TestThePageIsOnLoopbackUnlessToldOtherwise(t *testing.T) {
	o, err := parseOptions(nil, func(string) string { return "" }, nil)
	if err != nil || o.addr != "127.0.0.1:8080" {
		t.Errorf("default address %q, %v", o.addr, err)
	}
}

func TestTheCleanupIntervalIsReadFromTheEnvironmentInSeconds(t *testing.T) {
	for text, want := range map[string]string{"": "0s", "600": "10m0s", "1": "1s"} {
		if d, err := cleanupInterval(text); err != nil || d.String() != want {
			t.Errorf("%q: %v, %v; want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "x", "10m", "1e3", "86401"} {
		if d, err := cleanupInterval(text); err == nil {
			t.Errorf("%q is accepted as %s", text, d)
		}
	}
}
