// SPDX-License-Identifier: MIT

package auditbench

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// eager takes any batch in two milliseconds, so that the spool does not fill up.
type eager struct{}

func (eager) Write(context.Context, []audit.Event) error {
	time.Sleep(2 * time.Millisecond) // as long as a quick database takes
	return nil
}

// crowd runs do n times, on that many goroutines.
func crowd(goroutines int, do func()) func(int) {
	return func(n int) {
		var left atomic.Int64
		left.Store(int64(n))
		var all sync.WaitGroup
		for range min(goroutines, n) {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					do()
				}
			})
		}
		all.Wait()
	}
}

func spooled(t testing.TB, level audit.Durability) *audit.Log {
	log := must(audit.New(eager{}, audit.Config{
		MaxBatch: 8192, MaxBatchBytes: -1, Spool: audit.Spool{Dir: t.TempDir(), Level: level, MaxBytes: 8 << 30},
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		must(0, log.Close(ctx))
	})
	return log
}

func spool(t testing.TB, level audit.Durability, callers int) func() func(int) {
	return func() func(int) {
		log := spooled(t, level)
		return crowd(callers, func() { must(0, log.Record(ctx, event)) })
	}
}

// frame returns as many bytes as the event takes in a spool.
func frame(t testing.TB) []byte {
	const n = 1000
	log := spooled(t, audit.Process)
	must(0, log.Record(ctx, event))
	before := log.Stats().SpoolBytes
	for range n {
		must(0, log.Record(ctx, event))
	}
	return make([]byte, (log.Stats().SpoolBytes-before)/n)
}

// bare writes what a spool would write, and nothing else.
func bare(t testing.TB, callers int) func() func(int) {
	return func() func(int) {
		data, f := frame(t), must(os.Create(filepath.Join(t.TempDir(), "bare")))
		t.Cleanup(func() { _ = f.Close() })
		return crowd(callers, func() { must(f.Write(data)) })
	}
}

// bareSync writes and syncs batches of so many events. 256 callers make such of about
// 128: half of them gather the next one while the other half waits for a sync.
func bareSync(t testing.TB, size int) func() func(int) {
	return func() func(int) {
		data, f := frame(t), must(os.Create(filepath.Join(t.TempDir(), "bare")))
		t.Cleanup(func() { _ = f.Close() })
		return func(n int) {
			for ; n > 0; n -= size {
				batch := make([]byte, 0, size*len(data))
				for range min(n, size) {
					batch = append(batch, data...)
				}
				must(f.Write(batch))
				must(0, datasync(f))
			}
		}
	}
}
