// SPDX-License-Identifier: MIT

package redislock_test

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/locktest"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

func TestConformanceInVirtualTime(t *testing.T) {
	locktest.Run(t, func(t testing.TB) lock.Store {
		client, _ := redistest.Virtual(t)
		return redislock.New(client)
	}, locktest.Virtual())
}

func TestConformanceOnARealServer(t *testing.T) {
	server := redistest.Real(t)
	locktest.Run(t, func(t testing.TB) lock.Store { return redislock.New(server.Client(t)) })
}
