// SPDX-License-Identifier: MIT

package rediscall

import (
	"strings"
	"testing"
)

func TestCheckWarnsOfSettingsThatLoseLocks(t *testing.T) {
	for _, c := range []struct {
		name, warning string
		info          map[string]string
	}{
		{"nothing known", "", nil},
		{"old", "6.2", map[string]string{"redis_version": "6.0.16"}},
		{"just new enough", "", map[string]string{"redis_version": "6.2.0"}},
		{"of another make", "", map[string]string{"redis_version": "7.9"}},
		{"Valkey", "", map[string]string{"server_name": "valkey", "redis_version": "7.2.4", "valkey_version": "8.0.1"}},
		{"no limit", "", map[string]string{"redis_version": "7.0.15", "maxmemory": "0", "maxmemory_policy": "allkeys-lru"}},
		{"eviction", "noeviction", map[string]string{"maxmemory": "1", "maxmemory_policy": "volatile-ttl"}},
		{"no eviction", "", map[string]string{"maxmemory": "1", "maxmemory_policy": "noeviction"}},
		{"replica", "replica", map[string]string{"role": "slave"}},
		{"not persistent", "appendonly", map[string]string{"aof_enabled": "0"}},
		{"persistent", "", map[string]string{"aof_enabled": "1", "appendfsync": "everysec"}},
		{"never synced", "appendfsync", map[string]string{"aof_enabled": "1", "appendfsync": "no"}},
		{"split brain", "min-replicas-to-write", map[string]string{"connected_slaves": "2", "min-replicas-to-write": "0"}},
		{"replicated", "", map[string]string{"connected_slaves": "2", "min-replicas-to-write": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judge(c.info, "holds")
			if want := c.warning != ""; len(got) != 0 != want || want && !strings.Contains(got[0], c.warning) {
				t.Errorf("%q, want one of %q", got, c.warning)
			}
		})
	}
}
