// SPDX-License-Identifier: MIT

// Package gormsink stores an audit trail in a database table through GORM, in
// PostgreSQL, SQLite, MySQL or MariaDB. Every method on another database returns
// [audit.ErrInvalid].
//
//	sink := gormsink.New(db)
//	if err := sink.Migrate(ctx); err != nil {
//		return err
//	}
//	trail, err := audit.New(sink, audit.Config{})
//	if err != nil {
//		return err
//	}
//	defer func() {
//		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
//		defer cancel()
//		err = errors.Join(err, trail.Close(ctx)) // the named result; a *audit.LossError says what was not stored
//	}()
//
// The table, by default lock_audit, has a row per event: id, occurred_at and
// recorded_at (when it was written), type, outcome, reason, actor_*,
// resource_*, on_behalf_of_*, tenant, session_id, correlation_id, trace_id,
// source_address, user_agent, stream and seq (NULL for an event without a
// number), and details, the JSON text as it was recorded. Six indexes serve
// queries by time, actor, resource, tenant, number and time of writing.
//
// [Sink.Migrate] makes and upgrades the table. The SQL is in the folder
// migrations, for goose and Atlas, too. [Sink.Export] writes the trail as JSON
// lines, [Sink.Purge] deletes old events, [Sink.Erase] removes a person,
// [Sink.Gaps] reports what is missing, [Sink.Tail] yields what is new, and
// [Sink.In] records in the caller's transaction.
//
// # What is guaranteed
//
//   - An event is stored once however often it is written: the id is the key,
//     and only a conflict on the id is ignored.
//   - When Write returns nil, the database has committed the whole batch. A
//     batch is committed as a whole or not at all.
//   - Every method returns when its context ends, if the driver respects it. An
//     error of the database wraps [audit.ErrUnavailable], or
//     [audit.ErrPermanent] when it refuses a value.
//   - No value of an event is in a log or in the text of an error.
//   - A number that is missing in a stream, without an event that says why, is
//     reported by Gaps.
//   - Purge and Erase write an event about each page that they change, in the
//     same transaction: neither of the two is there without the other.
//   - One unreadable row does not hide the rows after it.
//   - Migrate upgrades a table of an earlier version in place, and its rows are
//     read as before. It does not change a table of a later version.
//
// # What is not guaranteed
//
//   - After an error the batch may have been committed, because the answer may
//     have been lost. Writing it again is safe.
//   - Events without a number can be deleted unseen: those of [audit.Direct] and
//     In, and those that were recorded with an id of their own. So can the last
//     ones of a stream whose process is not started again.
//   - Changes of rows by other users of the database are not detected; package
//     audit/seal detects them.
//   - SQLite returns "busy" at once by default, and the log then tries again.
//     Let SQLite wait, with options of the driver: for
//     github.com/glebarez/sqlite
//     "file.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)".
package gormsink
