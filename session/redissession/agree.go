// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// numberKept is how long Redis keeps a space's number of partitions after it was stored,
// or after the last cleanup.
const numberKept = 30 * 24 * time.Hour

// agree is called before all else that is done for a space, and asks Redis at the
// first time: whether all processes use the same number of partitions. With another
// one most sessions would not be found.
func (s *Store) agree(ctx context.Context, space string) error {
	if _, known := s.agreed.Load(space); known {
		return nil
	}
	number, err := s.number(ctx, space)
	if err != nil {
		return failed(err)
	}
	if err := s.differs(space, number); err != nil {
		return err
	}
	s.agreed.Store(space, nil)
	return nil
}

// number returns the number of partitions of a space. Where none is stored, which an
// eviction may have done, it stores this store's, unless there are sessions that it
// would not find.
func (s *Store) number(ctx context.Context, space string) (string, error) {
	read := func(ctx context.Context) (string, error) {
		return s.caller.Client().Get(ctx, s.numberKey(space)).Result()
	}
	number, err := rediscall.Bounded(ctx, s.caller, read)
	if !errors.Is(err, redis.Nil) {
		return number, err
	}
	if _, err := s.oldestFirst(ctx, space); err != nil {
		return "", err
	}
	return rediscall.Bounded(ctx, s.caller, func(ctx context.Context) (string, error) {
		first, err := s.caller.Client().SetNX(ctx, s.numberKey(space), s.partitions, numberKept).Result()
		if first || redis.HasErrorPrefix(err, "OOM") { // full memory keeps nothing from being read
			return strconv.Itoa(s.partitions), nil
		}
		if err != nil {
			return "", err
		}
		return read(ctx)
	})
}

// differs returns an error unless number is this store's; "" is not stored.
func (s *Store) differs(space, number string) error {
	if number == "" || number == strconv.Itoa(s.partitions) {
		return nil
	}
	return fmt.Errorf("%w: the sessions of %q are in %s partitions, and WithPartitions is %d here: see Repartition",
		session.ErrInvalid, space, number, s.partitions)
}

// numberKey has the number of partitions.
func (s *Store) numberKey(space string) string {
	return s.prefix + ":" + escape.Replace(space) + ":session:partitions"
}
