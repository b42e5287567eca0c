// SPDX-License-Identifier: MIT

package lockfaults

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// rounds is how often each library lives through a fault.
func rounds(short, full int) int {
	if os.Getenv("HOLDFAST_LONG") != "" {
		return full
	}
	return short
}

// A holder whose lock is renewed is cut off from Redis by a network that
// swallows everything. When does he learn of it, and when does Redis give the
// lock to another? One that learns later than that has worked beside it.
func TestWhenAHolderLearnsThatHisLockIsGone(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "library\trounds\tlearned, before (-) or after (+) another had it: first\tmedian\tlast\tworked beside him")
	for _, lib := range libraries {
		if !lib.reports {
			fmt.Fprintf(w, "%s\t\tnever reports\n", lib.name)
			continue
		}
		var late []time.Duration
		for i := range rounds(3, 20) {
			t.Run(fmt.Sprint(lib.name, " ", i), func(t *testing.T) {
				late = append(late, blackHole(t, lib, time.Duration(i)*230*time.Millisecond))
			})
		}
		slices.Sort(late)
		beside := len(late)
		for beside > 0 && late[len(late)-beside] <= 0 {
			beside--
		}
		if n := len(late); n > 0 {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d times\n", lib.name, n, late[0], late[n/2], late[n-1], beside)
		}
		if lib.name == "holdfast" && beside > 0 {
			t.Errorf("%d of %d holders learned too late", beside, len(late))
		}
	}
	_ = w.Flush()
	t.Logf("TTL %s, renewed as each library does\n%s", ttl, table.String())
}

// blackHole cuts a holder off after he has held for a while, and returns how
// much later he knew than another one had the lock.
func blackHole(t *testing.T, lib library, after time.Duration) time.Duration {
	server := redistest.Real(t)
	network := faultproxy.Start(t, server.Addr)
	t.Cleanup(func() { network.Pass(faultproxy.Both) }) // so that clients can close
	holder, other := lib.open(t, network.Addr), lib.open(t, server.Addr)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	life, release, err := holder.take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wait(ctx, after)
	network.Hold(faultproxy.Both)
	had := make(chan time.Time, 1)
	go func() {
		defer close(had)
		for ctx.Err() == nil {
			release, err := other.try(ctx)
			if err == nil {
				had <- time.Now()
				release()
				return
			}
			wait(ctx, time.Millisecond)
		}
	}()
	<-life.Done()
	learned := time.Now()
	taken, ok := <-had
	if !ok {
		t.Fatal("no other holder ever had the lock")
	}
	network.Pass(faultproxy.Both)
	release()
	return learned.Sub(taken).Round(time.Millisecond)
}

// wait lets real time pass, which is what is measured.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
