// SPDX-License-Identifier: MIT

// Package audit keeps a trail of who did what to what, when, and how it ended.
// Recording is fast, and no accepted event is lost without a report.
//
//	trail, err := audit.New(audit.NewJSONLines("audit.jsonl"), audit.Config{}) // or gormsink.New(db)
//	if err != nil {
//		log.Fatal(err)
//	}
//	err = trail.Record(ctx, audit.Event{
//		Type: "room.key.issued", Outcome: audit.Success,
//		Actor: audit.Entity{Type: "guest", ID: "ana"}, Resource: audit.Entity{Type: "room", ID: "101"},
//	})
//	if err != nil {
//		log.Print(err) // refused: invalid, or the queue is full
//	}
//
//	// When the service stops, after everything that records:
//	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
//	defer cancel()
//	if err := trail.Close(ctx); err != nil { // writes what is queued
//		log.Print(err) // the named result; a *audit.LossError says what was not stored
//	}
//
// # From Record to the sink
//
//	record.go   Record ── Enrich ── check ── Redact ── freeze     ctx bounds waiting only
//	                                  │
//	spool*.go   with Config.Spool: on disk, until every sink has it
//	                                  │
//	queue.go    ┌──────────── the queue of each sink ────────────┐
//	stream.go   │  bounded by number and bytes; full: Block,     │
//	            │  DropNewest, DropOldest; accepted events are   │
//	            │  numbered, a dropped one leaves a mark in its  │
//	            │  place                                         │
//	            └─────────────────────┬──────────────────────────┘
//	                                  v  batches by number, bytes, Linger
//	write.go       one writer for each sink, one batch at a time
//	                                  │
//	settle.go   stored <── nil ── Sink.Write ── error ──> pause, try again
//	                                  │
//	                                  └─ ErrPermanent ──> halves, quarters, …
//	                                     the poison event ──> DeadLetter, a mark in its place
//
//	sinks.go    Sink, Multi, Filter, NewSlog, NewMemory; jsonlines.go; package gormsink
//	log.go      New, Flush, Close; health.go: Stats, Healthy
//	observer.go what happened, for the Observer and the Logger
//
// Block waits for [Config.BlockFor] at most, a second by default; then Record
// returns [ErrFull]. Failed writes and dropped events are logged to
// [Config.Logger], by default [slog.Default], at most one line a minute.
//
// A [Sink] stores batches: package gormsink in a database, [NewJSONLines] in
// files, [NewSlog] in a log, [NewMemory] in memory, for tests. Package audittest
// checks a sink of one's own. [Multi] writes to several sinks at once, and none
// waits for another. [Filter] keeps events out of a sink, and [Config.Redact]
// keeps fields out of all of them. [Direct] writes each event without a queue, and
// its nil error means stored. [Discard] is a [Recorder] for programs without a
// trail.
//
// # What is recorded
//
// Every record is an [Event]. Record adds the time and an id, by which events are
// ordered and stored once. It makes the event safe for every sink: times are UTC
// microseconds; NUL, invalid UTF-8 and lone surrogates become U+FFFD; texts and
// details that are too long are cut and say so ([MaxText], [MaxDetails]), after
// [Config.Redact]. The recorded event shares no memory that the caller could
// change.
//
// # What is guaranteed
//
//   - When [Log.Record] returns nil, the event will be in the sink, or it is
//     counted as dropped with its reason and marked in the trail by an event of
//     [TypeDropped], or [Log.Close] names it in a [*LossError].
//   - Events of one log reach the sink in the order in which they were
//     accepted, except those that a [*BatchError] names.
//   - Events have consecutive numbers ([Event.Seq]) in the stream of their log, from
//     [TypeOpened] to [TypeClosed], except those that come with an id of their own.
//     An event with a number that is not stored leaves a mark with the number.
//   - With [Config.Spool], what Record accepted is written by a later process when
//     this one is killed, before new events; its [Durability] says what else it
//     survives. A stream that was cut off gets its [TypeClosed] then, with the
//     outcome [Unknown] and the reason "recovered".
//   - When [Log.Flush] returns nil, everything accepted before is in the sink.
//   - The sinks of a [Multi] are isolated: each has its own queue and drops, and
//     the guarantees above hold for each of them.
//   - A sink that fails, hangs, panics or ends its goroutine loses no event and
//     delays no call beyond the call's context. One batch is in flight at a
//     time, also while a sink hangs, and [Log.Healthy] reports it.
//   - An [Observer] or a logger that is stuck delays no call by more than a
//     second, once, and no write.
//   - Of an event, errors of this package and activities of the [Observer] carry
//     the type and the id, and no other value.
//
// # What is not guaranteed
//
//   - Accepted is not stored: the queue is memory. Without [Config.Spool] a killed
//     process loses the events that it had not flushed, at most [Config.Queue] for
//     each sink; its stream then has no [TypeClosed], which the Gaps of package
//     gormsink reports. Where that is too much, use a spool, Flush, or [Direct].
//   - With a spool, a sink that does not look for ids may have a batch twice after
//     a kill, with the same ids; and marks ([TypeDropped]) that were not written
//     yet are lost: numbers are then missing without a reason.
//   - Between processes, the order of events is that of their clocks.
//   - Events that Close reports as in doubt may have been stored.
//   - An event refused after Close is counted, and Record returns [ErrClosed],
//     but no mark in the trail shows it.
//   - Later changes of events are not detected, except by package audit/seal.
//     Deleted events are, by their number, if they have one.
//
// # Shutting down
//
// First stop what records, then close the log, then the database. Give Close a
// context with a deadline that does not descend from the caller's: at the end of
// a program the caller's context has usually ended, and without a deadline Close
// waits for as long as the sink fails.
package audit
