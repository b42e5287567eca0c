// SPDX-License-Identifier: MIT

package lockfaults

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

const work = 10 * time.Millisecond

// Some processes want the same lock again and again, work a while under it,
// and then do something else, in which time there is always one who waits. How
// long does no one have it between a release and the next one's holding, and what
// does that cost Redis? A peer whose waiters get no message is listed, and
// fails nothing: the promise is not ours.
func TestHowLongAHandoverTakes(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "library\tprocesses\thandover: median\t90 %\tlongest\tRedis commands per lock\tfewest and most turns")
	for _, processes := range []int{2, 8} {
		for _, lib := range libraries {
			t.Run(fmt.Sprint(lib.name, " ", processes), func(t *testing.T) {
				m := handOver(t, lib, processes, rounds(24, 200))
				n := len(m.gaps)
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%.1f\t%d, %d\n", lib.name, processes,
					m.gaps[n/2], m.gaps[n*9/10], m.gaps[n-1], m.commands, slices.Min(m.turns), slices.Max(m.turns))
			})
		}
	}
	_ = w.Flush()
	t.Logf("each works for %s under the lock\n%s", work, table.String())
}

type handovers struct {
	gaps     []time.Duration // sorted
	commands float64
	turns    []int // of each process
}

func handOver(t *testing.T, lib library, processes, turns int) handovers {
	server := redistest.Real(t)
	var lockers []locker
	for range processes {
		lockers = append(lockers, lib.open(t, server.Addr))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	commands := watch(t, server)
	var (
		mu       sync.Mutex
		released time.Time
		m        = handovers{turns: make([]int, processes)}
		all      sync.WaitGroup
	)
	for i, l := range lockers {
		all.Go(func() {
			for {
				_, release, err := l.take(ctx)
				mu.Lock()
				if err != nil {
					if len(m.gaps) < turns {
						missed(t, lib, "process %d, after %d handovers of %d: %v", i, len(m.gaps), turns, err)
					}
					mu.Unlock()
					return
				}
				if !released.IsZero() {
					m.gaps = append(m.gaps, time.Since(released).Round(10*time.Microsecond))
				}
				m.turns[i]++
				done := len(m.gaps) >= turns
				mu.Unlock()
				wait(ctx, work)
				mu.Lock()
				released = time.Now()
				mu.Unlock()
				release()
				if done {
					cancel() // who still waits need not
					return
				}
				wait(ctx, time.Duration(processes)*work/2) // others want it meanwhile
			}
		})
	}
	all.Wait()
	locks := 0
	for _, n := range m.turns {
		locks += n
	}
	m.commands = float64(commands()) / float64(locks)
	slices.Sort(m.gaps)
	if len(m.gaps) == 0 {
		t.Fatal("no handover at all")
	}
	return m
}

// missed fails the test when the library is ours.
func missed(t *testing.T, lib library, format string, args ...any) {
	t.Helper()
	if lib.name == "holdfast" {
		t.Errorf(format, args...)
	} else {
		t.Logf(lib.name+": "+format, args...)
	}
}

// watch returns a function that counts how many commands clients have sent
// since. What a script calls is not counted, nor is what connects.
func watch(t *testing.T, server *redistest.Server) func() int {
	conn, err := net.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20) // a line has a whole command
	if _, err := fmt.Fprint(conn, "MONITOR\r\n"); err != nil || !lines.Scan() || lines.Text() != "+OK" {
		t.Fatalf("MONITOR: %q, %v", lines.Text(), err)
	}
	counted := make(chan int)
	go func() {
		n := 0
		for lines.Scan() && !strings.Contains(lines.Text(), "] \"ECHO\"") {
			// 1339518083.107412 [0 127.0.0.1:60866] "evalsha" "…" …
			from, command, _ := strings.Cut(lines.Text(), "] \"")
			name, _, _ := strings.Cut(strings.ToLower(command), "\"")
			if !strings.HasSuffix(from, " lua") && !slices.Contains([]string{"hello", "client", "ping"}, name) {
				n++
			}
		}
		counted <- n
	}()
	return func() int {
		goRedis(t, server.Addr).Do(t.Context(), "ECHO", "the end")
		return <-counted
	}
}
