// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// limping fails every run of the claim script after the first few.
type limping struct{ left atomic.Int64 }

func (h *limping) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *limping) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *limping) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if len(cmd.Args()) > 1 && cmd.Args()[1] == claimScript.Hash() && h.left.Add(-1) < 0 {
			return errors.New("gone in the middle")
		}
		return next(ctx, cmd)
	}
}

func TestAFailureInTheMiddleOfAClaimLosesNothingOfIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		for p := range 2 {
			w := newWrite("x")
			w.Hash[0] = byte(p)
			done(t)(s.Create(t.Context(), w))
		}
		time.Sleep(2 * time.Minute)
		if err := claimScript.Load(t.Context(), client).Err(); err != nil {
			t.Fatal(err)
		}
		hook := &limping{}
		hook.left.Store(1)
		client.AddHook(hook)
		if got := claim(t, s, session.StoreClaim{}); len(got.Due) != 1 || !got.More {
			t.Errorf("claimed %+v, want what the first partition gave, and more to come", got)
		}
		if _, err := s.Claim(t.Context(), session.StoreClaim{Space: space, Max: 10, For: time.Minute}); err == nil {
			t.Error("a claim that got nothing hides its failure")
		}
	})
}

// What OnExpire could not handle for long is not lost meanwhile.
func TestAClaimedRecordOutlivesItsRetries(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		w := of(newWrite("x"), newHash(7))
		w.Keep = time.Minute
		done(t)(s.Create(t.Context(), w))
		time.Sleep(90 * time.Second)
		for attempt := range 10 {
			due := claim(t, s, session.StoreClaim{For: time.Hour, Payload: true}).Due
			if len(due) != 1 || due[0].Attempt != attempt+1 || string(due[0].Payload) != "x" || due[0].Owner != w.Owner {
				t.Fatalf("attempt %d gave %+v", attempt+1, due)
			}
			if attempt%2 == 1 { // its claimant died
				time.Sleep(time.Hour)
				continue
			}
			retry := 10 * time.Hour
			if err := s.settle(t.Context(), space, []session.StoreSettle{{StoreHandle: due[0].StoreHandle, Rev: due[0].Rev, Retry: retry}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(retry)
		}
		due := claim(t, s, session.StoreClaim{For: time.Hour, Payload: true}).Due
		if err := s.settle(t.Context(), space, []session.StoreSettle{{StoreHandle: due[0].StoreHandle, Rev: due[0].Rev}}); err != nil {
			t.Fatal(err)
		}
		if keys := keysLeft(t, client); len(keys) != 0 {
			t.Errorf("left %q", keys)
		}
	})
}

// Redis keeps a record that was handed out for its claim, or until it is due
// again, and for the time to keep it after that.
func TestAClaimedRecordIsKeptForItsClaimAndItsRetry(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		w := newWrite("x")
		w.Keep = 90 * time.Second
		r := done(t)(s.Create(t.Context(), w)).Record
		time.Sleep(time.Minute)
		claim(t, s, session.StoreClaim{For: time.Hour, Payload: true})
		aside := client.Keys(t.Context(), "*:e*").Val()
		if left := client.PTTL(t.Context(), aside[0]).Val(); left != time.Hour+w.Keep {
			t.Errorf("claimed for an hour it is kept for %v, want that and %v", left, w.Keep)
		}
		retry := session.StoreSettle{StoreHandle: r.StoreHandle, Rev: r.Rev, Retry: 2 * time.Hour}
		if err := s.settle(t.Context(), space, []session.StoreSettle{retry}); err != nil {
			t.Fatal(err)
		}
		if left := client.PTTL(t.Context(), aside[0]).Val(); left != retry.Retry+w.Keep {
			t.Errorf("due again in %v it is kept for %v, want that and %v", retry.Retry, left, w.Keep)
		}
	})
}

// A record that was handed out before, and is then removed without being
// handed out, is reported with all its attempts.
func TestARemovedRecordIsReportedWithItsAttempts(t *testing.T) {
	for before := range 3 {
		inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
			done(t)(s.Create(t.Context(), newWrite("x")))
			time.Sleep(time.Minute)
			for range before {
				claim(t, s, session.StoreClaim{Payload: true})
				time.Sleep(time.Minute)
			}
			due := claim(t, s, session.StoreClaim{}).Due
			if len(due) != 1 || due[0].Attempt != before+1 || due[0].Reason != session.ReasonIdle {
				t.Errorf("after %d attempts: %+v", before, due)
			}
			if keys := keysLeft(t, client); len(keys) != 0 {
				t.Errorf("left %q", keys)
			}
		})
	}
}

// A key that is gone before its members would lose reports; one without an end would
// stay for ever.
func TestClaimsAndBacklogLiveAsLongAsWhatIsInThem(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		w := newWrite("")
		done(t)(s.Create(t.Context(), w))
		time.Sleep(2 * time.Minute)
		claim(t, s, session.StoreClaim{Payload: true, For: time.Minute}) // in progress
		slot, set := s.slotOf(space, w.Hash), ""
		for _, k := range client.Keys(t.Context(), "*").Val() {
			if strings.HasPrefix(k, string(slot)+"e") {
				set = k
			}
		}
		least := client.PTTL(t.Context(), set).Val()
		for _, k := range []string{slot.claims(), slot.backlog()} {
			if left := client.PTTL(t.Context(), k).Val(); least <= 0 || left < least {
				t.Errorf("%s lives for %v, and the record in it for %v", k, left, least)
			}
		}
	})
}

// The end of a conversation is reported although its guest came back before the
// cleanup did, again and again.
func TestEveryLapsedRecordOfAPlaceIsReported(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
		h := newWrite("").StoreHandle
		var want, got []string
		for _, payload := range []string{"1", "2", "3"} {
			w := newWrite(payload)
			w.StoreHandle = h
			done(t)(s.Create(t.Context(), w))
			want = append(want, payload)
			time.Sleep(2 * time.Minute)
		}
		if c := count(t, s); c.Backlog != 3 || c.Oldest != 5*time.Minute {
			t.Errorf("counted %+v, want 3 in the backlog, the oldest due for 5 min", c)
		}
		for _, d := range claim(t, s, session.StoreClaim{Payload: true}).Due {
			got = append(got, string(d.Payload))
		}
		if !slices.Equal(got, want) {
			t.Errorf("reported %q, want %q", got, want)
		}
	})
}

// Also where the number was evicted.
func TestACleanupOfSessionsInOtherPartitionsIsAnError(t *testing.T) {
	for _, c := range []struct{ writer, cleaner int }{{16, 16}, {16, 32}, {32, 16}, {16, 17}, {17, 16}, {1, 256}, {256, 1}, {8, 16}, {256, 255}} {
		t.Run(fmt.Sprintf("%d of the writer, %d of the cleaner", c.writer, c.cleaner), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
				writer, cleaner := New(client, WithPartitions(c.writer)), New(client, WithPartitions(c.cleaner))
				for first := 255; first >= 0; first-- {
					w := newWrite("x")
					w.Hash = newHash(byte(first))
					done(t)(writer.Create(t.Context(), w))
					time.Sleep(time.Millisecond) // so that this is the order of the index
				}
				client.Del(t.Context(), writer.numberKey(space))
				claim := session.StoreClaim{Space: space, Max: 10, For: time.Minute, Payload: true}
				for _, lapsed := range []bool{false, true, true} { // the last time some may be claimed
					if lapsed {
						time.Sleep(time.Minute)
					}
					got, err := cleaner.Claim(t.Context(), claim)
					if reported := err != nil && strings.Contains(err.Error(), "WithPartitions is "); reported != (c.writer != c.cleaner) || len(got.Due) > 0 && reported {
						t.Fatalf("claimed %d, %v", len(got.Due), err)
					}
				}
			})
		})
	}
}

// One script hands out a few megabytes at most, however large the records are.
func TestLargeRecordsAreHandedOutBySize(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
		const records, size = 40, 100 << 10
		for range records {
			done(t)(s.Create(t.Context(), newWrite(strings.Repeat("x", size))))
		}
		time.Sleep(2 * time.Minute)
		due := 0
		for more := true; more; {
			got := claim(t, s, session.StoreClaim{Payload: true})
			if bytes := len(got.Due) * size; bytes > handBytes+size {
				t.Errorf("%d bytes were handed out at once, want %d and one record more at most", bytes, handBytes)
			}
			due, more = due+len(got.Due), got.More
		}
		if due != records {
			t.Errorf("%d of %d were handed out", due, records)
		}
	})
}

// Walking over thousands of records for each of hundreds would keep the server busy
// for a second.
func TestAClaimWalksOverTheQuarantineOnce(t *testing.T) {
	client := redistest.Real(t).Client(t)
	s := New(client)
	for range 50 {
		h := newHash(7)
		client.Set(t.Context(), s.slotOf(space, h).record(h), "no record", time.Minute)
		client.ZAdd(t.Context(), s.slotOf(space, h).expiry(), redis.Z{Score: 1, Member: string(h[:])})
	}
	client.ConfigResetStat(t.Context())
	var got session.StoreClaimed
	if _, _, err := s.claimIn(t.Context(), 7, removeBatch, session.StoreClaim{Space: space, Quarantine: true}, &got); err != nil || len(got.Due) != 50 {
		t.Fatalf("%d were due, %v", len(got.Due), err)
	}
	if stats := client.Info(t.Context(), "commandstats").Val(); !strings.Contains(stats, "cmdstat_zrange:calls=1,") {
		t.Errorf("want one ZRANGE in %s", stats)
	}
	if n := count(t, s).Quarantined; n != 50 {
		t.Errorf("%d are in quarantine, want 50", n)
	}
}
