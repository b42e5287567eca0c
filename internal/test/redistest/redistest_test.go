// SPDX-License-Identifier: MIT

package redistest

import (
	"net"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestVirtualRedisLivesInTheTimeOfTheBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, m := Virtual(t)
		other := VirtualClient(t, m)
		client.Set(t.Context(), "k", "v", 24*time.Hour)
		before := client.Time(t.Context()).Val()
		time.Sleep(24*time.Hour - time.Millisecond)
		if got := other.Get(t.Context(), "k").Val(); got != "v" {
			t.Errorf("a second client reads %q just before the end, want v", got)
		}
		time.Sleep(time.Millisecond)
		if n := other.Exists(t.Context(), "k").Val(); n != 0 {
			t.Error("the key outlived its TTL")
		}
		lua := other.Eval(t.Context(), `return redis.call('TIME')[1]`, nil).Val()
		if now := client.Time(t.Context()).Val(); now.Sub(before) != 24*time.Hour || lua != strconv.FormatInt(time.Now().Unix(), 10) {
			t.Errorf("TIME moved by %s, in Lua to %v", now.Sub(before), lua)
		}
	})
}

func TestARealServerTakesArgumentsAndDiesWithTheTest(t *testing.T) {
	var addr string
	t.Run("server", func(t *testing.T) {
		s := Real(t, "--maxmemory", "123mb")
		addr = s.Addr
		client := s.Client(t)
		if got := client.ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "128974848" {
			t.Errorf("maxmemory %s", got)
		}
		if got := client.ConfigGet(t.Context(), "save").Val()["save"]; got != "" {
			t.Errorf("it saves to disk: %q", got)
		}
	})
	if addr == "" {
		return // there is no redis-server, and the subtest was skipped
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("it is still there")
	}
}

func TestAClusterSpreadsItsSlotsOverItsNodes(t *testing.T) {
	t.Parallel()
	nodes := Cluster(t, 3)
	client := ClusterClient(t, nodes)
	for i := range 50 {
		if err := client.Set(t.Context(), string(rune('a'+i)), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range nodes {
		if n := node.Client(t).DBSize(t.Context()).Val(); n == 0 || n == 50 {
			t.Errorf("a node of three has %d of 50 keys", n)
		}
	}
	if err := client.Eval(t.Context(), "return redis.call('GET', KEYS[1]..'{2}')", []string{"{1}"}).Err(); err == nil {
		t.Error("it does not mind keys in several slots")
	}
}
