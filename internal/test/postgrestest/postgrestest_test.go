// SPDX-License-Identifier: MIT

package postgrestest

import (
	"net"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestAServerAnswersAgainAfterItWasStopped(t *testing.T) {
	s := Start(t, "-c", "fsync=off")
	s.StopNow(t)
	if conn, err := net.Dial("tcp", s.Addr()); err == nil {
		_ = conn.Close()
		t.Error("a server that was stopped takes connections")
	}
	s.Restart(t)
	s.Kill()
	s.Restart(t)
}
