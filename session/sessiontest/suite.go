// SPDX-License-Identifier: MIT

package sessiontest

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// Option changes how [Run] runs.
type Option func(*suite)

// Virtual runs each case inside a synctest bubble of its own, with newStore
// called inside it. The store's clock must be the bubble's.
func Virtual() Option { return func(s *suite) { s.virtual = true } }

// Corrupt lets the suite damage what a store has kept: f changes some bytes of
// the record at h, so that the store cannot read it any more. Without it the
// cases about damaged records are left out.
func Corrupt(f func(t testing.TB, store session.Store, h session.StoreHandle)) Option {
	return func(s *suite) { s.corrupt = f }
}

// Vanish lets the suite remove the record at h behind the store's back, so
// that only the store's indexes still name it, as eviction does. Without it
// the cases about that are left out; a store whose index cannot outlive its
// records does not need it.
func Vanish(f func(t testing.TB, store session.Store, h session.StoreHandle)) Option {
	return func(s *suite) { s.vanish = f }
}

// Seed fixes the random schedule of the model test; 0, the default, draws one
// and logs it.
func Seed(n uint64) Option { return func(s *suite) { s.seed = n } }

type suite struct {
	virtual         bool
	corrupt, vanish func(testing.TB, session.Store, session.StoreHandle)
	seed            uint64
	schedules       int
	stretch         time.Duration // of the unit in real time
}

// unit is the short time that the cases count in. A real store is given half
// of it as slack at each deadline, because its answers take real time. A case
// that fails while the machine was later than that is played again with a
// longer unit.
func (s *suite) unit() time.Duration {
	if s.virtual {
		return time.Second
	}
	return 250 * time.Millisecond * s.stretch
}

// Run checks a store. newStore is called once for each case, and must return
// an empty store, or one whose other records do not matter: each case has a
// space of its own. Without [Virtual] most of a case is waiting, so all of them
// run at once, in about five seconds; newStore is then called concurrently.
func Run(t *testing.T, newStore func(t testing.TB) session.Store, opts ...Option) {
	s := &suite{stretch: 1, schedules: 200}
	for _, o := range opts {
		if o != nil {
			o(s)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range s.cases() {
		if s.virtual {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { c.run(newBench(t, s, newStore(t))) })
			})
			continue
		}
		wg.Go(func() { t.Run(c.name, func(t *testing.T) { s.playReal(t, c, newStore(t)) }) })
	}
}

type conformanceCase struct {
	name string
	run  func(*bench)
}

func (s *suite) cases() []conformanceCase {
	var all []conformanceCase
	for _, group := range [][]conformanceCase{writingCases(), lifetimeCases(), leaseCases(), lineCases(), ownerCases(), moveCases(), cleanupCases(), quarantineCases(s), damageCases(s), scheduleCases(), modelCases()} {
		all = append(all, group...)
	}
	return all
}
