// SPDX-License-Identifier: MIT

// Package seal makes changes of an audit trail in a database visible. A Merkle tree
// beside the table has a leaf for each event; signed checkpoints have its root.
//
//	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
//	defer cancel()
//	sink := gormsink.New(db, gormsink.WithHook(seal.Hook))
//	seals, err := seal.New(sink, seal.Config{Root: root, Certify: certify, Anchor: elsewhere, Anchors: anchors})
//	if err != nil {
//		log.Fatal(err)
//	}
//	if err := errors.Join(sink.Migrate(ctx), seals.Migrate(ctx)); err != nil {
//		log.Fatal(err)
//	}
//	seals.Start() // seals every ten seconds
//	defer seals.Stop(ctx)
//
// [Trail.Verify] compares the table with the seals, [Trail.Prove] makes a proof for one
// event, which [CheckProof] checks without the database.
//
// # What it does not show
//
//   - Changes of rows that are not sealed yet: those of the last [Config.Every], and
//     all since sealing has stopped ([Report.OldestUnsealed]).
//   - A tail that is cut off, events and seals, without an anchor, or since the last
//     checkpoint that the anchor has.
//   - What is done by someone who has the table, the key of a process, and no anchor
//     in the way. A key is good until its certificate ends.
//   - Events that were never recorded, or false ones. Who may insert rows can record
//     what is not so, also a note of Purge or Erase: Verify then counts events as
//     purged or erased, and the note in the trail says which and when.
//   - What was deleted after a note of Purge that covers it was sealed, and could not
//     be deleted by that purge: it was due.
//
// # How it works
//
//	<table>              <table>_seal                     <table>_checkpoint
//	id, type, …   <───   idx, id, times, type, tenant,    size, note: origin, size, root,
//	                     hash(salt, event), salt    ───>   time, …, certificate, signature
//	                                                          │
//	                                   Config.Anchor <────────┘  on another machine
//
// Any process seals, on a timer. One transaction appends leaves and a checkpoint.
// Processes take turns by updating a row; should two append to one tree all the same,
// the primary keys let one win. Purge and Erase wait for their turn, too. Events that
// are committed late are found until they are older than [Config.Grace].
//
// A checkpoint is a signed note in the form of C2SP's tlog-checkpoint, with lines of its
// own, so that a witness can countersign it. Each process makes a key when it starts,
// and keeps it in memory; the root key, which is not on the host, certifies it for a
// time, and a checkpoint of another time is damaged.
//
// Purge and Erase stay possible: the leaf has the time, the type and the tenant, and the
// note of a purge which of these it covers. Erase drops the salt, so the hash of what
// was erased cannot be guessed, and its note has a hash of what is left. What a note
// explains is pending until the note is sealed.
//
// # What is guaranteed
//
//   - A sealed row that was changed or removed is named by its id. So is a row that was
//     inserted and claims to be older than Grace.
//   - A changed or missing seal or checkpoint is reported with its part of the tree. The
//     rows of that part are not judged, and the parts after it are verified.
//   - Purge, Erase, restarts, and any number of processes that seal raise no alarm, if
//     the sink has [Hook] and clocks agree within Grace.
//   - Verify reads a snapshot while others write: in SQLite, with journal_mode(WAL).
//     Its memory does not grow with the number of events.
//
// # Costs
//
// A seal takes about 300 bytes of the database, and stays when its event is purged; a
// checkpoint takes about 1 KB, with at most 8000 events.
package seal
