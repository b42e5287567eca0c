// SPDX-License-Identifier: MIT

package auditbench

import (
	"context"
	"io"
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

// spool uses one log for all rounds.
func spool(t testing.TB, level audit.Durability, callers int) func() func(int) {
	log := sync.OnceValue(func() *audit.Log { return spooled(t, level) })
	return func() func(int) {
		log := log()
		return crowd(callers, func() { must(0, log.Record(ctx, event)) })
	}
}

// bare returns a file that is emptied for each round, and as many bytes as the
// event takes in a spool.
func bare(t testing.TB) func() (*os.File, []byte) {
	const n = 1000
	open := sync.OnceValues(func() (*os.File, []byte) {
		log := spooled(t, audit.Process)
		must(0, log.Record(ctx, event))
		before := log.Stats().SpoolBytes
		for range n {
			must(0, log.Record(ctx, event))
		}
		f := must(os.Create(filepath.Join(t.TempDir(), "bare")))
		t.Cleanup(func() { _ = f.Close() })
		return f, make([]byte, (log.Stats().SpoolBytes-before)/n)
	})
	return func() (*os.File, []byte) {
		f, frame := open()
		must(0, f.Truncate(0))
		must(f.Seek(0, io.SeekStart))
		return f, frame
	}
}

// bareWrite writes what a spool would write, and nothing else.
func bareWrite(t testing.TB, callers int) func() func(int) {
	open := bare(t)
	return func() func(int) {
		f, frame := open()
		return crowd(callers, func() { must(f.Write(frame)) })
	}
}

// bareSync writes and syncs batches of so many events. 256 callers make such of about
// 128: half of them gather the next one while the other half waits for a sync.
func bareSync(t testing.TB, size int) func() func(int) {
	open := bare(t)
	return func() func(int) {
		f, frame := open()
		return func(n int) {
			for ; n > 0; n -= size {
				batch := make([]byte, 0, size*len(frame))
				for range min(n, size) {
					batch = append(batch, frame...)
				}
				must(f.Write(batch))
				must(0, datasync(f))
			}
		}
	}
}
