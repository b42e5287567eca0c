// SPDX-License-Identifier: MIT

package redislock_test

import (
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/locktest"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

func TestConformanceInVirtualTime(t *testing.T) {
	locktest.Run(t, func(t testing.TB) lock.Store {
		client, _ := redistest.Virtual(t)
		return redislock.New(client)
	}, locktest.Virtual(), locktest.Steps(steps()))
}

func TestConformanceOnARealServer(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	locktest.Run(t, func(t testing.TB) lock.Store { return redislock.New(server.Client(t)) }, locktest.Steps(steps()))
}

// steps is the length of the model test; HOLDFAST_LONG=1 makes it 10^5.
func steps() int {
	if os.Getenv("HOLDFAST_LONG") == "1" {
		return 100_000
	}
	return 0
}
