// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
)

// answer is what a script said about one record: {status, record or its
// header, times of a touch or 0, retry ms, evicted hashes}, or only a record, which is
// Done. The record is the one before the touch.
type answer struct {
	status  session.StoreStatus
	raw     string
	times   string // that a touch has written, "" without one
	retry   time.Duration
	evicted []session.Hash
}

// statuses has the words that scripts use for a status.
var statuses = func() map[string]session.StoreStatus {
	m := map[string]session.StoreStatus{}
	for status := session.StatusDone; status <= session.StatusNewer; status++ {
		m[status.String()] = status
	}
	return m
}()

var errUnknown = errors.New("a reply was lost, and too much has been saved since to know what became of this write")

// ask runs a script that is about one record.
func (s *Store) ask(ctx context.Context, script *redis.Script, keys []string, args ...any) (answer, error) {
	reply, err := s.caller.Run(ctx, script, keys, args...)
	if err != nil {
		return answer{}, failed(err)
	}
	if raw, plain := reply.(string); plain && raw != "" {
		return answer{status: session.StatusDone, raw: raw}, nil
	}
	list, _ := reply.([]any)
	if len(list) < 4 {
		return answer{}, fmt.Errorf("a script answered %T of length %d", reply, len(list))
	}
	word, _ := list[0].(string)
	if word == "unknown" {
		return answer{}, errUnknown
	}
	status, known := statuses[word]
	if !known {
		return answer{}, fmt.Errorf("a script answered the unknown status %q", word)
	}
	a := answer{status: status}
	a.raw, _ = list[1].(string)
	a.times, _ = list[2].(string)
	retry, _ := list[3].(int64)
	a.retry = time.Duration(retry) * time.Millisecond
	if len(list) > 4 {
		hashes, _ := list[4].([]any)
		for _, h := range hashes {
			a.evicted = append(a.evicted, hashOf(h))
		}
	}
	return a, nil
}

// hashOf reads a hash from a reply; anything else is the zero hash.
func hashOf(reply any) (h session.Hash) {
	text, _ := reply.(string)
	copy(h[:], text)
	return h
}

// reply turns an answer about the record at h into what the manager sees.
// whole says that raw has the payload, whose checksum is then verified.
func (s *Store) reply(ctx context.Context, a answer, h session.StoreHandle, whole, quarantine bool) (session.StoreReply, error) {
	r := session.StoreReply{Status: a.status, Touched: a.times != "", Retry: a.retry}
	if a.status == session.StatusBroken {
		r.Reason = session.ReasonInvalidFormat
	}
	for _, hash := range a.evicted {
		r.Evicted = append(r.Evicted, session.StoreHandle{Space: h.Space, Hash: hash, Owner: h.Owner})
	}
	if a.raw == "" {
		return r, nil
	}
	head, payload, ok := decode(a.raw)
	if !ok || !head.touch(a.times) {
		return session.StoreReply{}, fmt.Errorf("a script answered %d bytes that are no record", len(a.raw))
	}
	r.Record = head.record(h.Space, h.Hash)
	if !whole {
		return r, nil
	}
	r.Record.Payload = []byte(payload)
	if checksum(r.Record.Payload) != head.crc {
		return s.corrupted(ctx, h, head.rev, quarantine)
	}
	return r, nil
}

// corrupted removes a record whose payload is not what was written, unless it
// has changed since: only the call that removes it reports it.
func (s *Store) corrupted(ctx context.Context, h session.StoreHandle, rev uint64, quarantine bool) (session.StoreReply, error) {
	gone, err := s.deleteHandles(ctx, session.StoreRemove{Space: h.Space, Handles: []session.Hash{h.Hash}}, rev, quarantine)
	if err != nil {
		return session.StoreReply{}, err
	}
	if len(gone.Removed) == 0 {
		return session.StoreReply{Status: session.StatusMissing}, nil
	}
	return session.StoreReply{Status: session.StatusBroken, Reason: session.ReasonCorrupted}, nil
}
