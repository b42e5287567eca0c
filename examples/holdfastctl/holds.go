// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// hold is what is printed of a hold.
type hold struct {
	ID        string            `json:"id"`
	Resource  string            `json:"resource"`
	Holder    string            `json:"holder"`
	Reason    string            `json:"reason,omitempty"`
	Acquired  time.Time         `json:"acquired"`
	Expires   time.Time         `json:"expires"`
	LeftMS    int64             `json:"left_ms"`
	Fence     uint64            `json:"fence"`
	Details   map[string]string `json:"details,omitempty"`
	Confirmed bool              `json:"confirmed"`
}

// rooms connects to the locks, with the audit trail if there is one.
func (t *tool) rooms(ctx context.Context, trail audit.Recorder) (*lock.Manager, func(), error) {
	options, err := redis.ParseURL(t.redis)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: -redis: %w", errUsage, err)
	}
	client := redis.NewClient(options)
	cfg := lock.Config{Name: t.space, Audit: trail, AuditTimeout: 5 * time.Second}
	if t.byName {
		cfg.GroupBy = func(name string) string { return name }
	}
	rooms, err := lock.New(redislock.New(client, redislock.WithPrefix(t.prefix)), cfg)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return rooms, func() {
		_ = rooms.Close(ctx)
		client.Close()
	}, nil
}

func holds(ctx context.Context, t *tool, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%w: holds takes one name", errUsage)
	}
	rooms, done, err := t.rooms(ctx, nil)
	if err != nil {
		return err
	}
	defer done()
	var rows []hold
	for h, err := range rooms.HoldsAll(ctx) {
		if err != nil {
			return err
		}
		if len(args) == 0 || slices.ContainsFunc(slices.Collect(h.Resource.Parts()), func(r lock.Resource) bool { return r.Name() == args[0] }) {
			rows = append(rows, hold{h.ID, h.Resource.String(), h.Holder, h.Reason, h.AcquiredAt, h.ExpiresAt, h.Left.Milliseconds(), h.Fence, h.Details, !h.Unconfirmed})
		}
	}
	slices.SortFunc(rows, func(a, b hold) int { return a.Acquired.Compare(b.Acquired) })
	return print(t, "ID RESOURCE HOLDER REASON ACQUIRED LEFT", rows, func(h hold) []any {
		return []any{h.ID, h.Resource, h.Holder, h.Reason, h.Acquired.Format(time.RFC3339), time.Duration(h.LeftMS) * time.Millisecond}
	})
}

func release(ctx context.Context, t *tool, ids []string) error {
	if len(ids) == 0 || t.reason == "" {
		return fmt.Errorf("%w: release wants the ids of holds, and -reason", errUsage)
	}
	trail, stored, err := t.trail(ctx)
	if err != nil {
		return err
	}
	rooms, done, err := t.rooms(ctx, trail)
	if err != nil {
		return err
	}
	defer done()
	found := make(map[string]lock.Hold)
	for h, err := range rooms.HoldsAll(ctx) {
		if err != nil {
			return err
		}
		if slices.Contains(ids, h.ID) {
			found[h.ID] = h
		}
	}
	var failed error
	for _, id := range ids {
		h, ok := found[id]
		if !ok {
			failed = errors.Join(failed, fmt.Errorf("%s: there is no such hold in %s", id, t.space))
			continue
		}
		if err := t.confirm("release %s of %s, held since %s?", h.Resource, h.Holder, h.AcquiredAt.Format(time.RFC3339)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", id, err))
			continue
		}
		if err := rooms.ForceRelease(ctx, h, lock.Holder(t.holder), lock.Reason(t.reason)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", id, err))
			continue
		}
		fmt.Fprintln(t.out, "released", id)
	}
	return errors.Join(failed, stored())
}
