// SPDX-License-Identifier: MIT

package rediscall

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Check asks the server, or each master of a Cluster, for settings that lose what
// noun names, and returns a sentence about each, which begins with name. PUBLISH
// to inbox is tried as well. A setting that a server does not report is assumed to
// be fine. Four round trips a server; it changes nothing.
func (c *Caller) Check(ctx context.Context, name, noun, inbox string) (warnings []string, err error) {
	var mu sync.Mutex
	one := func(ctx context.Context, client redis.Cmdable) error {
		found, err := inspect(ctx, client, noun)
		if redis.HasErrorPrefix(client.Publish(ctx, inbox+"check", "").Err(), "NOPERM") {
			found = append(found, "PUBLISH is not allowed: those who wait have to ask once a second; allow it on "+inbox+"*")
		}
		mu.Lock()
		defer mu.Unlock()
		for _, w := range found {
			warnings = append(warnings, name+": "+w)
		}
		return err
	}
	err = c.Masters(ctx, one)
	mu.Lock()
	defer mu.Unlock()
	if err != nil {
		return warnings, fmt.Errorf("%s: check: %w", name, err)
	}
	return warnings, nil
}

// Masters calls f for the server, or for each master of a Cluster, several at
// once.
func (c *Caller) Masters(ctx context.Context, f func(context.Context, redis.Cmdable) error) error {
	_, err := Bounded(ctx, c, func(ctx context.Context) (struct{}, error) {
		if cluster, ok := c.Client().(*redis.ClusterClient); ok {
			return struct{}{}, cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return f(ctx, node) })
		}
		return struct{}{}, f(ctx, c.Client())
	})
	return err
}

func inspect(ctx context.Context, client redis.Cmdable, noun string) (warnings []string, err error) {
	text, err := client.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			info[name] = value
		}
	}
	// Managed servers often forbid CONFIG; what it says is then not known.
	for _, name := range []string{"appendfsync", "min-replicas-to-write"} {
		for k, v := range client.ConfigGet(ctx, name).Val() {
			info[k] = v
		}
	}
	return judge(info, noun), ctx.Err()
}

// judge returns what is wrong with a server.
func judge(info map[string]string, noun string) (warnings []string) {
	warn := func(wrong bool, format string, args ...any) {
		if wrong {
			warnings = append(warnings, fmt.Sprintf(format, args...))
		}
	}
	var major, minor int
	if n, _ := fmt.Sscanf(info["redis_version"], "%d.%d", &major, &minor); n == 2 {
		warn(major < 6 || major == 6 && minor < 2, "Redis %s: this package is tested from 6.2 on", info["redis_version"])
	}
	policy, limit := info["maxmemory_policy"], info["maxmemory"]
	warn(limit != "" && limit != "0" && policy != "" && policy != "noeviction",
		"maxmemory-policy is %s: under memory pressure the server evicts %s; set noeviction", policy, noun)
	warn(info["role"] == "slave", "the server is a replica: it refuses every change")
	warn(info["aof_enabled"] == "0", "appendonly is no: a restart forgets %s that are still alive", noun)
	warn(info["aof_enabled"] == "1" && info["appendfsync"] == "no", "appendfsync is no: a crash forgets the last %s", noun)
	replicas := info["connected_slaves"]
	warn(replicas != "" && replicas != "0" && info["min-replicas-to-write"] == "0",
		"min-replicas-to-write is 0: a master cut off from its replicas goes on accepting %s beside its successor", noun)
	return warnings
}
