// SPDX-License-Identifier: MIT

package redissession

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/sessiontest"
)

func TestStoreConformsOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	t.Parallel()
	// With all its slots on one server it still refuses commands and scripts
	// whose keys are in several of them.
	client := redistest.ClusterClient(t, redistest.Cluster(t, 1))
	if err := client.Eval(t.Context(), "return redis.call('GET', KEYS[1]..'{2}')", []string{"{1}"}).Err(); err == nil {
		t.Fatal("this cluster does not mind keys in several slots: the test shows nothing")
	}
	sessiontest.Run(t, func(testing.TB) session.Store { return New(client) }, sessiontest.Corrupt(damageHeader), sessiontest.Vanish(vanish))
}
