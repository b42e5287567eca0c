// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// keepDefault is how long a lapsed record waits for Claim when the manager
// does not say.
const keepDefault = 24 * time.Hour

// Store is a [session.StoreQuarantine] in Redis. It is safe for concurrent use; several
// managers, in one process or many, may share one Redis. Make it with [New]; it
// needs no closing.
type Store struct {
	caller          *rediscall.Caller
	prefix          string
	partitions      int
	quarantineBytes int // of all partitions
	quarantineMost  int // a partition's share of that
	quarantineKeep  time.Duration
	inbox           *inbox
	agreed          sync.Map // spaces whose number of partitions was compared
}

var _ session.StoreQuarantine = (*Store)(nil)

// New returns a store on client, which may be of a single server, Sentinel or
// a Cluster, and stays the caller's to close. It does no I/O. Nil options are
// skipped. If client is nil, every call of the store returns an error that
// matches [session.ErrInvalid].
func New(client redis.UniversalClient, opts ...Option) *Store {
	s := &Store{
		caller:          rediscall.New(client, errNoClient),
		prefix:          "holdfast",
		partitions:      16,
		quarantineBytes: 16 << 20,
		quarantineKeep:  7 * 24 * time.Hour,
	}
	for _, o := range opts {
		if o != nil {
			o(s)
		}
	}
	s.inbox = newInbox(s.caller, s.prefix)
	s.quarantineMost = s.quarantineBytes / s.partitions
	return s
}

// Callers returns the contexts of the calls that share a pipeline, for a hook of
// the client that links traces. Its ctx has the values of the first of them.
// Callers returns nil when ctx is that of a single call.
func Callers(ctx context.Context) []context.Context { return rediscall.Callers(ctx) }

var errNoClient = fmt.Errorf("%w: redissession.New needs a client", session.ErrInvalid)

// placed refuses a handle whose record and owner index would be in different
// partitions, where no script could change both.
func (s *Store) placed(h session.StoreHandle) error {
	if h.Owner != (session.Hash{}) && h.Owner[0] != h.Hash[0] {
		return fmt.Errorf("the hash of an owned record begins with %#x, want its owner's first byte %#x", h.Hash[0], h.Owner[0])
	}
	return nil
}

// failed is the error of a call that was not answered.
func failed(err error) error {
	if errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("%w: %w", session.ErrClosed, err)
	}
	return err
}

// aside is the quarantine time that is passed to scripts: 0 = delete.
func (s *Store) aside(quarantine bool) int64 {
	if !quarantine {
		return 0
	}
	return millis(s.quarantineKeep)
}
