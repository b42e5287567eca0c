// SPDX-License-Identifier: MIT

package auditbench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
)

// sealers returns a way to make processes that seal a table.
func sealers(sink *gormsink.Sink) (process func() *seal.Trail) {
	secret, public, err := seal.GenerateKey("bench.example/audit")
	must(0, err)
	root := must(note.NewSigner(secret))
	return func() *seal.Trail {
		t := must(seal.New(sink, seal.Config{Root: public, Every: 100 * time.Millisecond, Certify: func(_ context.Context, request string) (string, error) {
			return seal.Certify(root, request, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
		}}))
		must(0, t.Migrate(ctx))
		return t
	}
}

// fourWrite has four processes store events at once. Those that seal do so ten times
// a second, and at the end one of them until all is sealed.
func (d *database) fourWrite(sealed bool) func() func(int) {
	return func() func(int) {
		s := gormsink.New(d.gorm, gormsink.WithTable(d.empty()))
		process := sealers(s)
		var trails []*seal.Trail
		for range 4 {
			trails = append(trails, process())
		}
		return func(n int) {
			var writers sync.WaitGroup
			for i, trail := range trails {
				writers.Go(func() {
					batches((n+i)/4, func(batch []audit.Event) error { return s.Write(ctx, batch) })
				})
				if sealed {
					trail.Start()
				}
			}
			writers.Wait()
			if sealed {
				must(trails[0].Seal(ctx))
			}
			for _, trail := range trails {
				must(0, trail.Stop(ctx))
			}
		}
	}
}

// readAll reads a table, and verifyAll compares it with its seals.
func (d *database) readAll() func(int) {
	return func(times int) {
		for range times {
			read := 0
			for _, err := range d.small.Query(ctx, gormsink.Criteria{}) {
				must(0, err)
				read++
			}
			if read != smallRows {
				panic(fmt.Sprint("read ", read))
			}
		}
	}
}

func (d *database) verifyAll() func(int) {
	trail := sealers(d.small)()
	must(0, d.gorm.Exec("TRUNCATE small_seal, small_checkpoint").Error)
	must(0, trail.Migrate(ctx))
	must(trail.Seal(ctx))
	return func(times int) {
		for range times {
			if r := must(trail.Verify(ctx)); r.Intact != smallRows || r.Findings() != 0 {
				panic(r.String())
			}
		}
	}
}
