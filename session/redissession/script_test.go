// SPDX-License-Identifier: MIT

package redissession

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
)

// luaFiles has each script file with its comments removed, and with them.
func luaFiles(t *testing.T) (code, whole map[string]string) {
	names, err := fs.Glob(sources, "*.lua")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	code, whole = map[string]string{}, map[string]string{}
	comment := regexp.MustCompile(`(?m)--.*$`)
	for _, name := range names {
		text, _ := fs.ReadFile(sources, name)
		whole[name], code[name] = string(text), comment.ReplaceAllString(string(text), "")
	}
	return code, whole
}

func TestScriptsSayWhatTheyDo(t *testing.T) {
	_, whole := luaFiles(t)
	for name, text := range whole {
		if !strings.HasPrefix(text, "-- SPDX-License-Identifier: MIT\n--\n") {
			t.Errorf("%s does not begin with its licence", name)
		}
		if slices.Contains([]string{"clock.lua", "touch.lua", "record.lua", "line.lua", "lease.lua", "room.lua", "partial.lua"}, name) {
			continue // preludes
		}
		head, _, _ := strings.Cut(text, "\n\n")
		for _, part := range []string{"\n-- KEYS ", "\n-- ARGV ", "\n-- Reply ", "\n-- Cost "} {
			if !strings.Contains(head, part) {
				t.Errorf("the head of %s has no %q", name, strings.TrimSpace(part))
			}
		}
	}
}

// Lua numbers are doubles: on a real server tostring and .. turn revisions into
// 1.7e+15, while a miniredis prints them in full. So what is joined has to be a string
// by its making, or the time in ms, which has 13 digits of the 14 that are printed.
func TestScriptsJoinNoLargeNumbers(t *testing.T) {
	joined := regexp.MustCompile(`\.\.\s*(\S+)`)
	text := regexp.MustCompile(`^(?:'[^']*'|now\b|at\(|bytes\(|six\(|string\.(?:sub|char|rep|match)\(|(?:KEYS|ARGV)\[|revision\(|times\(` +
		`|(?:base|id|old|lease|owner|head|part|payload|who|made|inbox|hash|NONE16)\b)`)
	code, _ := luaFiles(t)
	for name, lua := range code {
		for _, m := range joined.FindAllStringSubmatch(lua, -1) {
			if !text.MatchString(m[1]) {
				t.Errorf("%s joins %q: is it a string?", name, m[1])
			}
		}
	}
}

func TestANumberThatAScriptPassesToRedisIsWrittenInFull(t *testing.T) {
	pass := redis.NewScript(`redis.call('SET', KEYS[1], ARGV[1] + 0); return redis.call('GET', KEYS[1])`)
	onBoth(t, func(t *testing.T, client *redis.Client) {
		for _, n := range []string{"0", "-1", "1764500000000", "1764500000000123", "-1764500002000", "9007199254740991"} {
			if got := pass.Run(t.Context(), client, []string{"n"}, n).Val(); got != n {
				t.Errorf("%s is written as %v", n, got)
			}
		}
	})
}

func TestScriptsUseOnlyWhatEveryServerHas(t *testing.T) {
	commands := []string{"TIME", "GET", "SET", "GETRANGE", "SETRANGE", "STRLEN", "DEL", "RENAME", "PTTL", "PEXPIRE", "PEXPIREAT",
		"EXISTS", "PUBLISH", "INFO", "ZADD", "ZREM", "ZCARD", "ZCOUNT", "ZSCORE", "ZRANGE", "ZRANGEBYSCORE", "ZREMRANGEBYSCORE"} // all O(log n) and what they return; no SCAN, no KEYS
	used := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	banned := regexp.MustCompile(`\b(tostring|struct\.|bit\.|cmsgpack|cjson|os\.|loadstring|redis\.log|redis\.replicate_commands|GETEX|FLUSH\w+)`)
	code, _ := luaFiles(t)
	for name, lua := range code {
		for _, m := range used.FindAllStringSubmatch(lua, -1) {
			if !slices.Contains(commands, m[1]) {
				t.Errorf("%s uses %s", name, m[1])
			}
		}
		if got := banned.FindString(lua); got != "" {
			t.Errorf("%s uses %s", name, got)
		}
	}
}

// golden renders a reply: records as their length, times as "ms".
func golden(x any) string {
	switch x := x.(type) {
	case []any:
		var parts []string
		for _, e := range x {
			parts = append(parts, golden(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case string:
		switch {
		case strings.HasPrefix(x, string(magic[:])):
			return fmt.Sprintf("record+%d", len(x)-headerSize)
		case len(x) == len(session.Hash{}):
			return "hash"
		case len(x) == timesSize:
			return "times"
		}
		return fmt.Sprintf("%q", x)
	case int64:
		if x > 100 {
			return "ms"
		}
		return fmt.Sprint(x)
	}
	return fmt.Sprintf("%T", x)
}

// A type that differs between the servers (an integer for a boolean, nil for
// false, 1.7e+15 for a number) would show here.
func TestScriptsAnswerTheSameOnBothServers(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		one, owner := newWrite("hello"), newHash(7)
		other := of(newWrite("other"), owner)
		slot := s.slotOf(space, one.Hash)
		anna, ben, none := nameLease("anna"), nameLease("ben"), leaseName{}
		head := func(w session.StoreWrite, change func(*header)) []byte {
			h := template(w)
			h.absolute = millis(w.Total)
			if change != nil {
				change(&h)
			}
			return h.encode()
		}
		rev := func(w session.StoreWrite) func(*header) {
			return func(h *header) { h.rev, h.nonce = peek(t, s, w.StoreHandle).Record.Rev, 99 }
		}
		recordKeys := func(w session.StoreWrite) []string { return []string{slot.expiry(), slot.record(w.Hash)} }
		createKeys := func(h session.Hash) []string { return []string{slot.expiry(), slot.record(h), slot.createNote(h)} }
		ownerKeys := func(h session.Hash) []string { return append(createKeys(h), slot.owner(owner)) }
		once := []any{1, 1000} // sent, and the note is kept for ms
		restoreKeys := []string{slot.expiry(), slot.record(one.Hash), slot.quarantine(), slot.claims(), slot.backlog()}
		inQuarantine := func() string { return client.ZRange(t.Context(), slot.quarantine(), 0, 0).Val()[0] }
		claimKeys := []string{slot.expiry(), slot.claims(), slot.backlog()}
		load := func(every int, bare string) []any { return []any{one.Hash[:], every, bare, 0, 1} }
		lease := func(who leaseName, forMS int, held string) []any {
			return append(load(0, "1"), who[:], forMS, held)
		}
		steps := []struct {
			name   string
			script *redis.Script
			keys   []string
			args   func() []any
			want   string
		}{
			{"count nothing", countScript, []string{slot.expiry(), slot.backlog(), slot.quarantine()}, func() []any { return []any{1000} }, `[0 0 0 0]`},
			{"load nothing", loadScript, recordKeys(one), func() []any { return load(0, "0") }, `["missing" "" 0 0]`},
			{"save nothing", saveScript, recordKeys(one), func() []any { return []any{one.Hash[:], head(one, nil), "x", "0", 0, 1, 1} }, `["missing" "" 0 0]`},
			{"create", createScript, createKeys(one.Hash), func() []any {
				return append([]any{one.Hash[:], head(one, nil), "hello", 0, 0, "reject", 0, 1}, once...)
			}, `["done" record+0 0 0 []]`},
			{"create again", createScript, createKeys(one.Hash), func() []any {
				return []any{one.Hash[:], head(one, nil), "hello", 0, 0, "reject", 0, 1, 2, 60000}
			}, `["done" record+0 0 0 []]`},
			{"create another", createScript, createKeys(one.Hash), func() []any {
				return append([]any{one.Hash[:], head(one, func(h *header) { h.nonce = 5 }), "other", 60000, 0, "reject", 0, 1}, once...)
			}, `["exists" record+5 0 0 []]`},
			{"create owned", createScript, ownerKeys(other.Hash), func() []any {
				return append([]any{other.Hash[:], head(other, nil), "other", 0, 1, "reject", 0, 1}, once...)
			}, `["done" record+0 0 0 []]`},
			{"create over the limit", createScript, ownerKeys(newHash(7)), func() []any {
				return append([]any{string(make([]byte, 16)), head(other, nil), "third", 0, 1, "reject", 0, 1}, once...)
			}, `["over_limit" "" 0 0 []]`},
			{"load and touch", loadScript, recordKeys(one), func() []any { return load(0, "0") }, `["done" record+5 times 0]`},
			{"load and touch, bare", loadScript, recordKeys(one), func() []any { return load(0, "1") }, `["done" record+0 times 0]`},
			{"load unchanged", loadScript, recordKeys(one), func() []any { return load(50000, "0") }, `record+5`},
			{"load unchanged, bare", loadScript, recordKeys(one), func() []any { return load(50000, "1") }, `record+0`},
			{"take the lease", loadScript, recordKeys(one), func() []any { return lease(anna, 60000, "0") }, `["done" record+0 times 0]`},
			{"leased", loadScript, recordKeys(one), func() []any { return lease(ben, 60000, "0") }, `["leased" "" 0 ms]`},
			{"save leased", saveScript, recordKeys(one), func() []any { return []any{one.Hash[:], head(one, rev(one)), "x", "0", 0, 1, 1} }, `["leased" "" 0 ms]`},
			{"wait in line", loadScript, recordKeys(one), func() []any { return append(lease(ben, 60000, "0"), "an inbox") }, `["leased" "" 0 ms]`},
			{"ping", pingScript, []string{slot.expiry()}, func() []any { return []any{"an inbox", one.Hash[:], ben[:]} }, `[]`},
			{"free the lease", loadScript, recordKeys(one), func() []any { return lease(anna, 0, "0") }, `["done" record+0 times 0]`},
			{"ping at its turn", pingScript, []string{slot.expiry()}, func() []any { return []any{"an inbox", one.Hash[:], ben[:]} }, fmt.Sprintf("[%q]", ben[:])},
			{"take it before one's turn", loadScript, recordKeys(one), func() []any { return append(lease(nameLease("carl"), 60000, "0"), "") }, `["leased" "" 0 0]`},
			{"take it in turn", loadScript, recordKeys(one), func() []any { return append(lease(ben, 60000, "0"), "an inbox") }, `["done" record+0 times 0]`},
			{"ping without a place", pingScript, []string{slot.expiry()}, func() []any { return []any{"an inbox", one.Hash[:], anna[:]} }, fmt.Sprintf("[%q]", anna[:])},
			{"free it again", loadScript, recordKeys(one), func() []any { return append(lease(ben, 0, "0"), "an inbox") }, `["done" record+0 times 0]`},
			{"renew a freed lease", loadScript, recordKeys(one), func() []any { return lease(anna, 60000, "1") }, `["leased" "" 0 0]`},
			{"save stale", saveScript, recordKeys(one), func() []any {
				return []any{one.Hash[:], head(one, func(h *header) { h.nonce = 6 }), "x", "0", 0, 1, 1}
			}, `["stale" record+5 0 0]`},
			{"save stale, sent again", saveScript, recordKeys(one), func() []any {
				return []any{one.Hash[:], head(one, func(h *header) { h.rev, h.nonce = 1, 6 }), "x", "0", 0, 1, 2}
			}, `["unknown" "" 0 0]`},
			{"save", saveScript, recordKeys(one), func() []any { return []any{one.Hash[:], head(one, rev(one)), "longer", "0", 0, 1, 1} }, `["done" record+0 0 0]`},
			{"list", listScript, []string{slot.expiry(), slot.record(one.Hash), slot.record(newHash(7))}, func() []any { return []any{owner[:]} }, `[record+6 "" ""]`},
			{"count", countScript, []string{slot.expiry(), slot.backlog(), slot.quarantine()}, func() []any { return []any{1000} }, `[2 0 0 0]`},
			{"claim nothing", claimScript, claimKeys, func() []any { return []any{10, 1000, "1", 0, 1, 1} }, `[0 0 0]`},
			{"settle nothing", settleScript, claimKeys, func() []any { return []any{1, string(make([]byte, 24)), 0, 0} }, `0`},
			{"retire nothing", retireScript, []string{slot.expiry(), slot.record(newHash(7)), slot.moveNote(newHash(7))}, func() []any {
				return []any{string(make([]byte, 16)), head(one, nil), 1000, 0, 1}
			}, `["missing" "" 0 0]`},
			{"delete owner", deleteOwnerScript, []string{slot.expiry(), slot.owner(owner)}, func() []any { return []any{owner[:], 64} }, `[0 0 hash]`},
			{"delete", deleteScript, recordKeys(one), func() []any { return []any{string(none[:]), 1000, 1000, "0", one.Hash[:]} }, `[hash record+0]`},
			{"delete again", deleteScript, recordKeys(one), func() []any { return []any{string(none[:]), 0, 1, "1", one.Hash[:]} }, `[]`},
			{"create late", createScript, createKeys(one.Hash), func() []any {
				return append([]any{one.Hash[:], head(one, nil), "hello", 0, 0, "reject", 0, 1}, once...)
			}, `["missing" "" 0 0 []]`},
			{"count quarantined", countScript, []string{slot.expiry(), slot.backlog(), slot.quarantine()}, func() []any { return []any{1000} }, `[0 0 1 0]`},
			{"restore nothing", restoreScript, restoreKeys, func() []any { return []any{string(make([]byte, kept)), "crc4"} }, `"missing"`},
			{"restore", restoreScript, restoreKeys, func() []any { return []any{inQuarantine(), "crc4"} }, `"done"`},
		}
		for _, step := range steps {
			got, err := step.script.Run(t.Context(), client, step.keys, step.args()...).Result()
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if golden(got) != step.want {
				t.Errorf("%s: answered %s, want %s", step.name, golden(got), step.want)
			}
		}
	})
}
