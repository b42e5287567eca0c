// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// sessionRow is what is printed of a session. Its data, which may be
// encrypted or private, is not decoded.
type sessionRow struct {
	ID      string    `json:"id"`              // the hash of its id: no one can log in with it
	Owner   string    `json:"owner,omitempty"` // the hash of its subject
	Created time.Time `json:"created"`
	Active  time.Time `json:"active"`
	Expires time.Time `json:"expires"`
	Bytes   int       `json:"bytes"`
}

// logins connects to the sessions.
func (t *tool) logins() (*redissession.Store, func(), error) {
	options, err := redis.ParseURL(t.redis)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: -redis: %w", errUsage, err)
	}
	client := redis.NewClient(options)
	store := redissession.New(client, redissession.WithPrefix(t.prefix), redissession.WithPartitions(t.partitions))
	return store, func() { client.Close() }, nil
}

func sessions(ctx context.Context, t *tool, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: sessions takes no arguments", errUsage)
	}
	store, done, err := t.logins()
	if err != nil {
		return err
	}
	defer done()
	var rows []sessionRow
	for rec, err := range store.List(ctx, session.StoreList{Space: t.sessions}) {
		if err != nil {
			return err
		}
		row := sessionRow{hex.EncodeToString(rec.Hash[:]), "", rec.CreatedAt, rec.LastActivity, rec.ExpiresAt, len(rec.Payload)}
		if rec.Owner != (session.Hash{}) {
			row.Owner = hex.EncodeToString(rec.Owner[:])
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b sessionRow) int { return a.Created.Compare(b.Created) })
	return print(t, "ID OWNER CREATED ACTIVE EXPIRES BYTES", rows, func(r sessionRow) []any {
		return []any{r.ID, r.Owner, r.Created.Format(time.RFC3339), r.Active.Format(time.RFC3339), r.Expires.Format(time.RFC3339), r.Bytes}
	})
}

func end(ctx context.Context, t *tool, ids []string) error {
	if len(ids) == 0 {
		return fmt.Errorf("%w: end wants the ids of sessions", errUsage)
	}
	store, done, err := t.logins()
	if err != nil {
		return err
	}
	defer done()
	hashes := make([]session.Hash, len(ids))
	for i, id := range ids {
		raw, err := hex.DecodeString(id)
		if err != nil || len(raw) != len(hashes[i]) {
			return fmt.Errorf("%w: %q is no id of a session", errUsage, id)
		}
		hashes[i] = session.Hash(raw)
	}
	var failed error
	for i, id := range ids {
		if err := t.confirm("end session %s of %s?", id, t.sessions); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", id, err))
			continue
		}
		gone, err := store.Delete(ctx, session.StoreRemove{Space: t.sessions, Handles: hashes[i : i+1]})
		switch {
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", id, err))
		case len(gone.Removed) == 0:
			failed = errors.Join(failed, fmt.Errorf("%s: there is no such session in %s", id, t.sessions))
		default:
			fmt.Fprintln(t.out, "ended", id)
		}
	}
	return failed
}

func repartition(ctx context.Context, t *tool, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: repartition takes no arguments", errUsage)
	}
	store, done, err := t.logins()
	if err != nil {
		return err
	}
	defer done()
	if err := t.confirm("move the sessions of %s to %d partitions? No process may use them meanwhile.", t.sessions, t.partitions); err != nil {
		return err
	}
	n, err := store.Repartition(ctx, t.sessions)
	fmt.Fprintln(t.out, "moved", n, "keys and entries")
	return err
}
