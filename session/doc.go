// SPDX-License-Identifier: MIT

// Package session stores what a service has to remember about a client between
// two requests: typed data that expires, that concurrent writers cannot
// overwrite unseen, and that can be counted.
//
//	ctx := context.Background()
//	carts, err := session.New(memsession.New(), session.Config[Cart]{Name: "carts"}) // or redissession.New(client)
//	if err != nil {
//		log.Fatal(err)
//	}
//	carts.Start() // removes expired sessions in the background
//	defer carts.Stop(ctx)
//
//	s, err := carts.Create(ctx, Cart{}, session.ForSubject("ann"))
//	if err != nil {
//		log.Fatal(err)
//	}
//	cookie := s.ID.Token() // the client keeps it
//
//	id, err := session.ParseID(cookie) // from the client's next request
//	if err != nil {
//		log.Fatal(err)
//	}
//	s, err = carts.Update(ctx, id, func(c *Cart) error { c.Items++; return nil })
//	if err != nil {
//		log.Fatal(err)
//	}
//
// A [Conversation], such as a chat with a bot, has a name instead of a token, and
// its messages are handled one at a time:
//
//	guest := session.Conversation{Channel: "sms", Peer: "+34 600 000 000"}
//	err := chats.Converse(ctx, guest, Chat{}, func(_ context.Context, s *session.Session[Chat]) error {
//		s.Data.Messages = append(s.Data.Messages, text)
//		return nil
//	})
//
// With a Conversation.Subject it is one of that person's sessions, which [Manager.Export]
// shows and [Manager.DeleteSubject] erases.
//
// # The life of a session
//
//	                      Get, Touch, Save, Update, Exclusive
//	                               +------+
//	  Create, Open, Converse       v      |
//	------------------------> +---------------+   Rotate, Bind, Unbind: lives on under another id
//	                          |     alive     | --------------------------------------------------> (rotated)
//	                          +---------------+
//	      IdleTimeout or        |     |     | Delete, DeleteSubject, WhenFull
//	      AbsoluteTimeout       |     |     +----------------------------------------------> (deleted, evicted)
//	                            v     | damaged, or lost by the store
//	                +-------------+   +----------------------------------------------------> (corrupted, invalid_format,
//	                |   expired   |                                                           vanished)
//	                +-------------+
//	                  |         ^ claim ran out, OnExpire failed
//	    cleanup claims v        | (at most 5 times)
//	                +-------------+
//	                |   claimed   | -------------------------------------------------------> (idle, absolute)
//	                +-------------+   OnExpire succeeded, or there is none
//
// No arrow leads back to alive: a session that has expired is answered with
// [ErrExpired] or [ErrNotFound], before and after the cleanup removes it. A
// conversation whose session has expired gets a new session, while the old one
// still waits for OnExpire. The words in brackets are the reasons in [OpEnded]
// events.
//
// Without [Manager.Start] or [Manager.Run] in some process, OnExpire is never
// called, and expired sessions stay in the store until Config.Grace has passed.
//
// # Round trips
//
//	                            calls of the store         in Redis    atomic for
//	Get, Peek, Touch, Save      1                          1           the session and its places in the indexes
//	Create                      1                          1           the same, its subject's limit and who is evicted for it
//	Delete                      1                          1           the session and its places in the indexes
//	DeleteSubject               1 for 64 sessions          the same    64 sessions of the subject
//	Open                        1; 2 when it creates       the same    each call, as Create and Get
//	                            one over 512 bytes
//	Update                      2, +1 for each conflict,   the same    the save: it fails if anything was saved in between
//	                            +3 after the third
//	Exclusive, Converse         2, 3 in line,              the same    everything in between: other saves are refused
//	                            +1 for each renewal
//	Rotate, Unbind              1                          1           both ids, and the data
//	Bind                        1                          2, or 1     the old id with its data, and the new one with its limit:
//	                                                                   if the second trip is lost, the old one stays
//	BySubject, Export           1                          2 / 64      64 sessions
//	All                         1                          2 / 64      64 sessions
//	DeleteAll                   1 + 1 / 64                 3 / 64      64 sessions, or a partition's share of them
//	Count                       1                          1 pipeline  a partition
//	Sweep                       1 for each batch, 1 more   1 to 2 for  a partition's share of a batch
//	                            with OnExpire, and Count   each partition with work
//
// An id from before a Rotate or Bind costs one call more, while it is served. Removing
// a record whose payload is damaged costs one trip more in Redis.
//
// # What a reader of the store sees
//
//	                         by default               with [Sealed]  with Config.IndexKey
//	tokens                   SHA-256 of 248 bits      the same       HMAC
//	data                     as Codec encodes it      encrypted
//	subject, channel, peer
//	  in the record          in clear                 encrypted
//	  in names of keys       SHA-256: a list of       the same       HMAC
//	                         phone numbers finds them
//	times, sizes, numbers    in clear                 in clear       in clear
//	of sessions
//
// # Guaranteed
//
//   - No lost update: a [Manager.Save] over a newer one fails with a
//     [*ConflictError] that contains the newer one.
//   - No doubled update: a conflict means that nothing was saved, also when
//     replies were lost. Where that cannot be known, the error is
//     [ErrUnavailable].
//   - No resurrection: a late Save or touch never brings back a session that was
//     deleted or has expired, and never changes a later session of the same
//     [Conversation].
//   - A rotation logs out no request that is under way: for Config.RotateGrace the old
//     id leads to the session. After a login it shows, read only, the data from before
//     and no subject. Both end with the session.
//   - [Manager.DeleteSubject] ends all sessions of the subject, conversations with it
//     among them, or says that it may not have, with [ErrIncomplete].
//   - Timeouts follow the clock of the store: skewed clocks of processes do not
//     matter. No session outlives its absolute timeout, which counts from the login,
//     and managers with other timeouts keep to those that the session was made with.
//   - One handler at a time: of two functions that run under [Manager.Exclusive]
//     or [Manager.Converse] for one session, at most one saves. They run in the
//     order in which their requests reached the store, whatever their processes.
//   - Config.OnExpire is called for each expired session at least once, by one
//     process at a time, if a cleanup runs within Config.Grace, all that clean up have
//     OnExpire, the store keeps its data, and no Delete or DeleteSubject came first.
//   - A damaged record causes one error. It is removed when it is found, and
//     neither the next request nor the cleanup finds it again. With
//     [QuarantineCorrupt] it can be listed and restored.
//   - A session that an instance cannot decode stays as it is: a canary with
//     another type, a wrong key or an older version costs errors, no sessions. See
//     [ReasonUndecodable]. An expired one waits for another instance as long as
//     Config.Grace.
//   - What is written can be read: each write decodes what it has encoded.
//   - Ids have 248 random bits. The store keeps only hashes of them, every way of
//     printing one redacts it, also deep in other values, and an unknown id is never
//     adopted.
//   - Errors and events contain no token or payload, and no subject but in
//     [OpEnded] events.
//
// # Not guaranteed
//
//   - OnExpire exactly once: the call is repeated when a process dies after it and
//     before the store has recorded it. [Expired].ID is the same then.
//   - That only one function under Exclusive runs: a function that ignores the
//     end of its context continues after its lease is lost. It cannot save.
//   - The order of those who wait when their process was stopped or cut off from
//     the store for seconds, or the store lost data or its clock stepped forward: they
//     stand in line anew.
//   - Expiry to the second: a session ends between IdleTimeout - TouchEvery and
//     IdleTimeout after its last use. Its data stays in the store until the
//     cleanup removes it.
//   - Early detection of damaged records: the cleanup reads the index and not
//     every record, so a damaged record is found when it is read or expires.
//   - The fields that an older instance does not know: it drops them when it saves
//     a session, unless Config.Version was raised with them.
//   - Durability: it is the store's.
//   - Anything about HTTP: the caller sets cookies.
//
// Package redissession keeps sessions in Redis and package memsession in memory;
// package sessiontest checks other stores.
package session
