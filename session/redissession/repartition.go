// SPDX-License-Identifier: MIT

package redissession

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
)

// changing stands for the number of partitions while that changes: no process can
// begin to use the sessions.
const changing = "a changing number of"

// Repartition moves the sessions of a space, which is a Config.Name, to the store's
// number of partitions, and returns how many keys and entries it moved. No process may use the
// sessions meanwhile; one that starts fails at its first call. After an error it can be
// called again, and goes on. It reads the names of all keys of the database, with SCAN, and
// takes the time of about four round trips for each 500 that move.
func (s *Store) Repartition(ctx context.Context, space string) (moved int, err error) {
	client := s.caller.Client()
	if client == nil {
		return 0, errNoClient
	}
	if err := client.Set(ctx, s.numberKey(space), changing, 0).Err(); err != nil {
		return 0, failed(err)
	}
	var n atomic.Int64
	move := func(ctx context.Context, node redis.UniversalClient) error {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			keys, next, err := node.Scan(ctx, cursor, literal.Replace(s.head(space))+"*", pageSize).Result()
			if err != nil {
				return err
			}
			some, err := s.moveKeys(ctx, client, space, keys)
			if n.Add(int64(some)); err != nil {
				return err
			}
			cursor = next
		}
		return nil
	}
	each := func(ctx context.Context, node *redis.Client) error { return move(ctx, node) }
	switch c := client.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(ctx, each)
	case *redis.Ring:
		err = c.ForEachShard(ctx, each)
	default:
		err = move(ctx, client)
	}
	if err == nil {
		err = client.Set(ctx, s.numberKey(space), s.partitions, numberKept).Err()
	}
	return int(n.Load()), failed(err)
}

// pageSize is how many keys or members are read at once.
const pageSize = 500

// literal keeps a name from being a pattern.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)

// head is how the keys of all partitions begin.
func (s *Store) head(space string) string { return strings.TrimSuffix(string(s.slot(space, 0)), "0}:") }

// moveKeys moves those keys that belong into another partition, and the members of
// indexes. What it leaves are notes for at most a few minutes, and the lines of those
// who wait. Each key is written before the old one is removed.
func (s *Store) moveKeys(ctx context.Context, client redis.UniversalClient, space string, keys []string) (moved int, err error) {
	type record struct {
		from, to string
		raw      *redis.StringCmd
		left     *redis.DurationCmd
	}
	var records []record
	read := client.Pipeline()
	for _, key := range keys {
		number, name, _ := strings.Cut(strings.TrimPrefix(key, s.head(space)), "}:")
		partition, err := strconv.Atoi(number)
		switch {
		case err != nil || name == "":
		case name == "q", strings.Contains("xcbuo", name[:1]):
			n, err := s.moveMembers(ctx, client, space, key, partition, name)
			if moved += n; err != nil {
				return moved, err
			}
		case len(name) > 1 && strings.Contains("deq", name[:1]):
			if to := int(name[1]) % s.partitions; to != partition {
				records = append(records, record{key, string(s.slot(space, to)) + name, read.Get(ctx, key), read.PTTL(ctx, key)})
			}
		}
	}
	_, _ = read.Exec(ctx)
	write, remove := client.Pipeline(), client.Pipeline()
	for _, r := range records {
		raw, err := r.raw.Result()
		left, late := r.left.Result()
		switch err := cmp.Or(err, late); {
		case errors.Is(err, redis.Nil) || err == nil && left <= 0: // it has gone meanwhile
		case err != nil:
			return moved, err
		default:
			write.Set(ctx, r.to, raw, left)
			remove.Del(ctx, r.from)
			moved++
		}
	}
	if _, err := write.Exec(ctx); err != nil {
		return moved, err
	}
	_, err = remove.Exec(ctx)
	return moved, err
}

// moveMembers moves the members of an index, each of which begins with a hash; in the
// list of owners each ends with one, or stands for all owners and goes to all
// partitions.
func (s *Store) moveMembers(ctx context.Context, client redis.UniversalClient, space, key string, partition int, name string) (moved int, err error) {
	left, err := client.PTTL(ctx, key).Result()
	if err != nil {
		return 0, err
	}
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		members, next, err := client.ZScan(ctx, key, cursor, "", pageSize).Result() // each with its score behind it
		if err != nil {
			return moved, err
		}
		write, remove, targets := client.Pipeline(), client.Pipeline(), map[string]*redis.DurationCmd{}
		for i := 0; i+1 < len(members); i += 2 {
			score, _ := strconv.ParseFloat(members[i+1], 64)
			member := redis.Z{Score: score, Member: members[i]}
			if members[i] == "" {
				for to := range s.partitions {
					target := string(s.slot(space, to)) + name
					write.ZAddGT(ctx, target, member)
					targets[target] = nil
				}
				continue
			}
			hash := members[i]
			if name == "o" {
				hash = hash[len(hash)-len(session.Hash{}):]
			}
			to := int(hash[0]) % s.partitions
			if to == partition {
				continue
			}
			target := string(s.slot(space, to)) + name
			write.ZAdd(ctx, target, member)
			remove.ZRem(ctx, key, members[i])
			targets[target] = nil
			moved++
		}
		for target := range targets {
			targets[target] = write.PTTL(ctx, target)
		}
		if _, err := write.Exec(ctx); err != nil {
			return moved, err
		}
		for target, lives := range targets {
			if lives.Val() < left {
				remove.PExpire(ctx, target, left)
			}
		}
		if _, err := remove.Exec(ctx); err != nil {
			return moved, err
		}
		cursor = next
	}
	return moved, nil
}
