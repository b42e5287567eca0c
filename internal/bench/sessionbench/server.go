// SPDX-License-Identifier: MIT

package sessionbench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// appended is how many bytes the mix writes, of those that scs writes for it.
// The append-only file has what changes the data, as a replica is sent it.
func appended(t testing.TB) (float64, error) {
	const requests = 6000
	args := []string{"--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"}
	grown := func(of func(*redis.Client) func(int)) (float64, error) {
		client := redistest.Real(t, args...).Client(t)
		mix := of(client)
		before, err := info(client, "persistence", "aof_current_size")
		if err != nil {
			return 0, err
		}
		mix(requests)
		after, err := info(client, "persistence", "aof_current_size")
		return after - before, err
	}
	ours, err := grown(func(c *redis.Client) func(int) { return newHoldfast(t, c, users).mix() })
	if err != nil {
		return 0, err
	}
	theirs, err := grown(func(c *redis.Client) func(int) { return newSCS(t, c, users).mix() })
	return ours / theirs, err
}

// weight is how much memory n sessions take, of what they take scs.
func weight(t testing.TB, n int) (float64, error) {
	grown := func(fill func(c *redis.Client, n int)) (float64, error) {
		client := redistest.Real(t).Client(t)
		fill(client, 16) // scripts and buffers are there, too
		before, err := info(client, "memory", "used_memory")
		if err != nil {
			return 0, err
		}
		fill(client, n)
		after, err := info(client, "memory", "used_memory")
		return after - before, err
	}
	ours, err := grown(func(c *redis.Client, n int) { newHoldfast(t, c, n) })
	if err != nil {
		return 0, err
	}
	theirs, err := grown(func(c *redis.Client, n int) { newSCS(t, c, n) })
	return ours / theirs, err
}

// info reads a number from INFO.
func info(client *redis.Client, section, field string) (float64, error) {
	text, err := client.Info(ctx, section).Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name == field {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("INFO %s has no %s", section, field)
}

// work is what a server did: INFO commandstats and SLOWLOG between two instants.
type work struct {
	scripts, scans int
	micros         float64 // of all scripts
	slowest        float64 // script, in µs
}

func watch(client *redis.Client, do func() error) (w work, err error) {
	for _, command := range []string{"config set slowlog-log-slower-than 0", "config set slowlog-max-len 8192", "config resetstat", "slowlog reset"} {
		var args []any
		for word := range strings.FieldsSeq(command) {
			args = append(args, word)
		}
		if err := client.Do(ctx, args...).Err(); err != nil {
			return w, err
		}
	}
	if err := do(); err != nil {
		return w, err
	}
	log, err := client.SlowLogGet(ctx, -1).Result()
	if err != nil {
		return w, err
	}
	for _, entry := range log {
		if isScript(strings.ToLower(entry.Args[0])) {
			w.slowest = max(w.slowest, float64(entry.Duration.Microseconds()))
		}
	}
	text, err := client.Info(ctx, "commandstats").Result()
	if err != nil {
		return w, err
	}
	for line := range strings.Lines(text) {
		name, values, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":")
		if !ok {
			continue
		}
		var calls int
		var micros float64
		if _, err := fmt.Sscanf(values, "calls=%d,usec=%f", &calls, &micros); err != nil {
			return w, fmt.Errorf("%s: %w", line, err)
		}
		switch {
		case isScript(name):
			w.scripts += calls
			w.micros += micros
		case slices.Contains([]string{"scan", "keys", "sscan", "zscan", "hscan"}, name):
			w.scans += calls
		}
	}
	return w, nil
}

func isScript(command string) bool { return command == "eval" || command == "evalsha" }
