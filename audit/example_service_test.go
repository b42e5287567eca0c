// SPDX-License-Identifier: MIT

package audit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

// service is what has to be ended, in the order of its making.
type service struct {
	file   *audit.JSONLines // or the pool of a database
	trail  *audit.Log
	rooms  *lock.Manager
	server *http.Server
}

// stop ends a service from the outside in: what may still record ends before the
// trail, and what the trail writes to ends after it.
func (s *service) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second) // the caller's may have ended
	defer cancel()
	for _, end := range []func(context.Context) error{
		s.server.Shutdown, // waits for the requests under way
		s.rooms.Close,     // releases the leases, and records that
		s.trail.Close,     // writes what is queued; *audit.LossError names the rest
		func(context.Context) error { return s.file.Close() },
	} {
		if err := end(ctx); err != nil {
			fmt.Println("stopping:", err) // the others have to end as well
		}
	}
	return ctx.Err()
}

// How a service ends without losing an event.
func Example_service() {
	dir, err := os.MkdirTemp("", "service")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "trail.jsonl")
	s := &service{file: audit.NewJSONLines(path)}
	if s.trail, err = audit.New(s.file, audit.Config{}); err != nil {
		panic(err)
	}
	if s.rooms, err = lock.New(memlock.New(), lock.Config{Name: "rooms", Audit: s.trail}); err != nil {
		panic(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.rooms.TryAcquire(r.Context(), lock.Key("room/101"), lock.Holder("ana")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	}))
	s.server = web.Config
	if response, err := web.Client().Get(web.URL); err == nil {
		_ = response.Body.Close()
	}
	web.Client().CloseIdleConnections()
	fmt.Println(s.stop(context.Background()))

	lines, err := os.ReadFile(path)
	fmt.Println(strings.Count(string(lines), `"lock.acquired"`), strings.Count(string(lines), `"lock.released"`), err)
	// Output:
	// <nil>
	// 1 1 <nil>
}
