// SPDX-License-Identifier: MIT

//go:build unix

package redistest

import (
	"context"
	"testing"
	"time"
)

func TestASuspendedServerAnswersWhenItIsResumed(t *testing.T) {
	s := Real(t)
	client := s.Client(t)
	s.Suspend()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Error("it answers")
	}
	s.Resume()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after Resume: %v", err)
	}
}

func TestAKilledServerStartsAgainWithWhatItKept(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		kept int64
	}{
		"in memory":          {nil, 0},
		"appendfsync always": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := Real(t, c.args...)
			if err := s.Client(t).Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			s.Kill()
			s.Start(t)
			if n := s.Client(t).Exists(t.Context(), "k").Val(); n != c.kept {
				t.Errorf("%d keys were kept, want %d", n, c.kept)
			}
		})
	}
}

func TestASentinelPromotesTheReplicaOfAMasterThatStopped(t *testing.T) {
	t.Parallel()
	master := Real(t)
	replica := Replica(t, master.Addr)
	client := FailoverClient(t, Sentinel(t, master, 1, 300*time.Millisecond))
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	until(t, replica.Client(t), "keyspace", "keys=1")
	master.Suspend()
	until(t, replica.Client(t), "replication", "role:master")
	for end := time.Now().Add(10 * time.Second); ; {
		err := client.Set(t.Context(), "k", "w", 0).Err()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the client does not find the new master: %v", err)
		}
	}
	if got := replica.Client(t).Get(t.Context(), "k").Val(); got != "w" {
		t.Errorf("the new master has %q, want w", got)
	}
}
