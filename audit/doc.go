// SPDX-License-Identifier: MIT

// Package audit keeps a trail of who did what to what, when, and how it ended.
// It loses nothing that it accepted without saying so, and it does not slow
// down those who record.
//
//	trail, err := audit.New(gormsink.New(db), audit.Config{})
//	…
//	defer trail.Close(context.WithoutCancel(ctx))
//	err = trail.Record(ctx, audit.Event{Type: "room.key.issued", Outcome: audit.Success, …})
//
// # The way of an event
//
//	Record ── Enrich ── check and freeze ──┐      ctx bounds waiting only
//	                                       v
//	        ┌───────────────────────── the queue ─────────────────────────┐
//	        │  bounded by number and bytes; full: Block, DropNewest,      │
//	        │  DropOldest; what is dropped leaves a mark in its place     │
//	        └──────────────────────────────┬──────────────────────────────┘
//	                                       v  batches by number, bytes, Linger
//	                                 one writer, one batch at a time
//	                                       │
//	        stored <── nil ─── Sink.Write ─┴─ error ──> pause, try again
//	                                       │
//	                                       └─ ErrPermanent ──> halves, quarters, …
//	                                          the poison event ──> DeadLetter, a mark in its place
//
// A [Sink] is what stores batches: package gormsink for databases,
// [NewJSONLines] for files, [NewSlog] for logs, [NewMemory] for tests, or one's
// own, checked by package audittest. [Multi] is several at once, none of which
// waits for another; [Filter] and [Redact] keep events or fields out of one.
// [Direct] is the way around the queue: one event, one write, and nil means
// stored. Whoever has no trail uses [Discard].
//
// # What is recorded
//
// Whatever is an [Event]. Record gives it an id, which orders events and keeps
// them from being stored twice, and the time, and makes it safe to store
// anywhere: times are UTC microseconds; NUL and invalid UTF-8 become U+FFFD;
// texts and details that are too long are cut with a mark that says so
// ([MaxText], [MaxDetails]). It keeps nothing that the caller could change.
//
// # What is guaranteed
//
//   - When [Log.Record] returns nil, the event will be in the sink, or it is
//     counted as dropped with its reason and marked in the trail by an event of
//     [TypeDropped], or [Log.Close] names it in a [*LossError].
//   - Events of one log reach the sink in the order in which they were
//     accepted, except those that a [*BatchError] names.
//   - [Log.Flush] returning nil means that everything accepted before is in the
//     sink.
//   - The sinks of a [Multi] are isolated: each has a queue and drops of its
//     own, and the promises above hold for each of them.
//   - A sink that fails, hangs, panics or exits loses no event and keeps no
//     call beyond its context. One batch is in flight at a time, also while
//     a sink hangs, and [Log.Healthy] says so.
//   - No value of an event is in an error or handed to the [Observer].
//
// # What is not
//
//   - Accepted is not stored: the queue is memory. A killed process loses what
//     it had not flushed, at most [Config.Queue] events, and as many again for
//     each sink of a [Multi] that is behind. Flush, or use [Direct], where that
//     is too much.
//   - Between processes the order is that of their clocks.
//   - What Close reports as in doubt may have been stored.
//   - An event refused after Close is counted and answered with [ErrClosed], but
//     the trail cannot mark it any more.
//   - Nothing here shows that somebody changed the trail afterwards.
//
// # Shutting down
//
// First stop what records, then close the log, then the database. Give Close
// a context that has not ended: on the way out the caller's usually has.
package audit
