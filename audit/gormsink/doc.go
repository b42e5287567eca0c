// SPDX-License-Identifier: MIT

// Package gormsink keeps an audit trail in a database table through GORM: on
// PostgreSQL and SQLite with what each does best, on others with portable SQL.
//
//	sink := gormsink.New(db)
//	if err := sink.Migrate(ctx); err != nil { … }
//	trail, err := audit.New(sink, audit.Config{})
//	…
//	for e, err := range sink.Query(ctx, gormsink.Filter{ResourceID: "room/101"}) { … }
//
// The table, by default lock_audit, has a row per event: id, occurred_at and
// recorded_at (when it was written), type, outcome, reason, actor_*,
// resource_*, tenant, session_id, correlation_id, trace_id and details, the
// JSON text as it was recorded. Four indexes answer what happened to a
// resource, where something happened, what an actor did, and what happened
// when. [Sink.Migrate] makes it; the SQL is in the folder migrations, for goose
// and Atlas, too. [Sink.Export] writes it as JSON lines, [Sink.Purge] and
// [Sink.Erase] forget what is old and who wants to be forgotten.
//
// # What is guaranteed
//
//   - An event is stored once however often it is written: the id is the key,
//     and only a conflict on the id is ignored.
//   - When Write returns nil, the database has committed all of the batch; it
//     commits all of it or nothing.
//   - Within the deadline of a context every method returns, if the driver
//     minds it. What the database does not answer wraps [audit.ErrUnavailable].
//   - No value of an event reaches a log or the text of an error.
//   - One unreadable row does not hide the rows after it.
//
// # What is not
//
//   - After an error nobody may know whether the batch was committed: the answer
//     can get lost. Writing it again settles it.
//   - Rows can be changed by whoever may write to the table. Nothing here
//     would show it.
//   - SQLite answers "busy" at once by default. Let it wait, with the options of
//     the driver: for github.com/glebarez/sqlite that is
//     "file.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)". It is
//     tried again in any case.
package gormsink
