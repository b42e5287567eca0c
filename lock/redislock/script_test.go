// SPDX-License-Identifier: MIT

package redislock

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var scripts = map[string]string{
	"head.lua": headLua, "quick_acquire.lua": quickAcquireLua, "quick_queue.lua": quickQueueLua, "quick_release.lua": quickReleaseLua,
	"record.lua": recordLua, "expire.lua": expireLua, "conflict.lua": conflictLua, "queue.lua": queueLua,
	"acquire.lua": acquireLua, "extend.lua": extendLua, "serve_more.lua": serveMoreLua, "ping.lua": pingLua, "release.lua": releaseLua, "holds.lua": holdsLua, "sweep.lua": sweepLua,
}

// bare is a script without comments and with empty string literals.
func bare(script string) string {
	script = regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(script, "")
	return regexp.MustCompile(`'[^']*'`).ReplaceAllString(script, "''")
}

func TestScriptsTouchOnlyKeysThatAreDeclared(t *testing.T) {
	call := regexp.MustCompile(`redis\.call\('([A-Z]+)'(?:, ([^,)]+))?`)
	for name, script := range scripts {
		for _, m := range call.FindAllStringSubmatch(script, -1) {
			if m[1] != "TIME" && m[1] != "PUBLISH" && !regexp.MustCompile(`^[ILXUQ]$`).MatchString(m[2]) {
				t.Errorf("%s: %s of %q, which is no name of a key", name, m[1], m[2])
			}
		}
		if n := strings.Count(script, "redis.call("); n != len(call.FindAllString(script, -1)) {
			t.Errorf("%s: %d calls, not all of which name their command", name, n)
		}
	}
	if len(letters) != strings.Count("I, L, X, U, Q", ",")+1 || !strings.Contains(headLua, "local I, L, X, U, Q = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]") {
		t.Error("the names of the keys do not fit their letters")
	}
}

// Lua writes a number of more than 14 digits as 1.7e+15, miniredis does not:
// the mistake shows only on a real server.
func TestScriptsMakeStringsOfNumbersInOneWayOnly(t *testing.T) {
	// Names that stand for strings; whatever else is joined or sent must be
	// a literal or what a function returned.
	known := strings.Fields("name bare base id record nonce last version token member first body parts proof claim I L X U Q m way s " +
		"provisional inbox behind from prefix own max min page limit holder rec to fence tail channel slot handle stamp deadline WHOLE " +
		"heir place mark size longest seen passed")
	isString := func(operand string) bool {
		operand = strings.TrimSpace(operand)
		last := operand[strings.LastIndex(operand, ".")+1:]
		return operand == "" || operand[0] == '#' || // a length is short
			strings.Contains(operand, "..") || strings.HasSuffix(operand, "'") || strings.HasSuffix(operand, ")") || strings.HasSuffix(operand, "]") || slices.Contains(known, last)
	}
	joined := regexp.MustCompile(`([\w.#\[\])']+) *\.\.`)
	joins := regexp.MustCompile(`\.\. *([\w.#\[\]]+|')`)
	for name, script := range scripts {
		code := bare(script)
		if strings.Contains(code, "tostring") || strings.Count(script, "string.format(") != strings.Count(script, "string.format('%.0f', ")+strings.Count(script, "string.format('%016.0f', ") {
			t.Errorf("%s: only %%.0f and %%016.0f may make a string of a number", name)
		}
		for _, m := range joined.FindAllStringSubmatch(code, -1) {
			if !isString(m[1]) {
				t.Errorf("%s: %q before .. may be a number", name, m[1])
			}
		}
		for _, m := range joins.FindAllStringSubmatch(code, -1) {
			if !isString(m[1]) && !slices.Contains([]string{"text", "nonzero", "put", "turn", "string.sub", "string.rep", "string.format"}, m[1]) {
				t.Errorf("%s: %q after .. may be a number", name, m[1])
			}
		}
		for _, call := range strings.Split(code, "redis.call(")[1:] {
			for _, arg := range arguments(call) {
				if !isString(arg) {
					t.Errorf("%s: %q as an argument may be a number, written by Lua", name, arg)
				}
			}
		}
	}
}

// arguments splits what follows a "(" at its commas, up to the matching ")".
func arguments(code string) []string {
	var args []string
	depth, start := 0, 0
	for i, c := range code {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ')':
			return append(args, code[start:i])
		case c == ',' && depth == 0:
			args = append(args, code[start:i])
			start = i + 1
		}
	}
	return args
}

func TestScriptsUseOnlyWhatEveryServerHas(t *testing.T) {
	libs := regexp.MustCompile(`\b(\w+)\.\w+\(`)
	for name, script := range scripts {
		used := make(map[string]bool)
		for _, m := range libs.FindAllStringSubmatch(bare(script), -1) {
			used[m[1]] = true
		}
		for lib := range maps.Keys(used) {
			if !slices.Contains([]string{"redis", "string", "table", "math"}, lib) {
				t.Errorf("%s uses %s", name, lib)
			}
		}
	}
}

func TestEachScriptSaysWhatItIs(t *testing.T) {
	for name, script := range scripts {
		for _, want := range []string{"-- SPDX-License-Identifier: MIT\n", "-- KEYS ", "-- ARGV ", "-- Reply ", "-- Cost "} {
			if slices.Contains([]string{"head.lua", "record.lua", "expire.lua", "conflict.lua", "queue.lua", "serve_more.lua"}, name) && !strings.HasPrefix(want, "-- SPDX") && want != "-- KEYS " {
				continue
			}
			if !strings.Contains(script, want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
}

func TestMalformedArgumentsAreRefusedBeforeAnyWrite(t *testing.T) {
	everywhere(t, func(r *rig) {
		keys := r.keys("rooms", "hotel")
		good := member('1', claimed("a"))
		for _, try := range []struct {
			script string
			keys   []string
			args   []any
		}{
			{acquireAll, keys, []any{}},
			{acquireAll, keys, []any{"id", 1, 0, 0, 8, "15:token1,", ":", "", ""}},
			{acquireAll, keys, []any{"id", "soon", 0, 0, 8, "15:token1,", ":", "", "", good, 1}},
			{acquireAll, keys, []any{"id", 1, 0, 0, 8, "15:token1,", ":", "", "", good}},
			{acquireAll, keys, []any{"id", 1, 0, 0, 8, "15:token1,", ":", "", "", "short", 1}},
			{acquireAll, keys, []any{"id", 1, 0, 0, 8, "15:token1,", ":", "", "", good, 1.5}},
			{acquireAll, keys, []any{"id", 1, 0, 0, 8, "15:token1,", ":", "", "", good, 1, good, -1}},
			{acquireAll, keys, []any{"id", 1, 0, 0, 8, "no record", ":", "", "", good, 1}},
			{acquireAll, keys[:4], []any{"id", 1, 0, 0, 8, "15:token1,", ":", "", "", good, 1}},
			{extendAll, keys, []any{"id", "token", 1, 0, 0}},
			{extendAll, keys, []any{"id", "token", "later", 0, 0, ""}},
			{extendAll, keys[:4], []any{"id", "token", 1, 0, 0, ""}},
			{releaseAll, keys, []any{"id", "token", 0}},
			{holdsAll, keys, []any{"-", "+", 1, ""}},
			{sweepAll, keys, []any{}},
			{sweepAll, keys[:4], []any{1}},
			{pingAll, keys, []any{}},
			{pingAll, keys, []any{"="}},
			{pingAll, keys[:4], []any{"=inbox"}},
			{releaseAll, keys[:4], []any{"id", "token", 0, 0}},
			{holdsAll, keys[:4], []any{"-", "+", 1, "", ""}},
		} {
			if err := r.client.Eval(r.Context(), try.script, try.keys, try.args...).Err(); err == nil || !strings.HasPrefix(err.Error(), "ERR malformed") {
				r.Errorf("%v: %v, want malformed", try.args, err)
			}
		}
		if left := r.keysLeft(); left != "" {
			r.Errorf("keys %q written", left)
		}
		// The quick paths come before the arguments are checked.
		c, _ := r.take(lock.Key("a"), time.Hour)
		for _, args := range [][]any{{c.ID, c.Token, 0}, {c.ID, "wrong", 0, 0}} {
			_ = r.client.Eval(r.Context(), releaseAll, keys, args...).Err()
		}
		if len(r.list(lock.Key("a"))) != 1 {
			r.Error("malformed arguments release a hold")
		}
	})
}
