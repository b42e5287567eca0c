// SPDX-License-Identifier: MIT

// Package session keeps what a service has to remember about somebody between
// two requests: typed data that expires, is never lost to a race, and can be
// counted.
//
//	m, err := session.New(redissession.New(rdb), session.Config[Cart]{Name: "carts"})
//	s, err := m.Create(ctx, Cart{}, session.ForSubject(userID)) // s.ID.Token() goes into the cookie
//	s, err = m.Update(ctx, s.ID, func(c *Cart) error { c.Add(item); return nil })
//
// Conversations, such as a chat bot's, are named by a [Conversation] instead of a token,
// and handled one message at a time:
//
//	err := m.Converse(ctx, session.Conversation{Channel: "whatsapp", Peer: from}, Chat{},
//		func(ctx context.Context, s *session.Session[Chat]) error { return answer(ctx, &s.Data, text) })
//
// # The life of a session
//
//	                      Get, Touch, Save, Update, Exclusive
//	                               +------+
//	  Create, Open, Converse       v      |
//	------------------------> +---------------+   Rotate, Bind: lives on under another id
//	                          |     alive     | ------------------------------------------> (rotated)
//	                          +---------------+
//	      IdleTimeout or        |     |     | Delete, DeleteSubject, WhenFull
//	      AbsoluteTimeout       |     |     +----------------------------------------------> (deleted, evicted)
//	                            v     | unreadable, or lost by the store
//	                +-------------+   +----------------------------------------------------> (corrupted, invalid_format,
//	                |   expired   |                                                           vanished)
//	                +-------------+
//	                  |         ^ claim ran out, OnExpire failed
//	    cleanup claims v        | (at most 5 times)
//	                +-------------+
//	                |   claimed   | -------------------------------------------------------> (idle, absolute)
//	                +-------------+   OnExpire succeeded, or there is none
//
// No arrow leads back to alive: what has expired is answered with [ErrExpired]
// or [ErrNotFound], whether the cleanup has come by or not. A conversation
// whose session has expired gets a new one, while the old one still waits for
// OnExpire. In brackets are the reasons that an [OpEnded] event tells.
//
// # Round trips
//
//	                            calls of the store         in Redis    atomic for
//	Get, Peek, Touch, Save      1                          1           the session and its places in the indexes
//	Create                      1                          1           the same, its subject's limit and who is evicted for it
//	Delete                      1                          1           the session and its places in the indexes
//	DeleteSubject               1                          1           all sessions of the subject
//	Open                        1; 2 when it creates       the same    each call, as Create and Get
//	                            one over 512 bytes
//	Update                      2, +1 for each conflict    the same    the save: it fails if anything was saved in between
//	Exclusive, Converse         2 when nobody else is      the same    all between the two, as far as saving goes
//	                            there, +1 for each renewal
//	Rotate                      1                          1           both ids, and the data
//	Bind                        1                          2, or 1     the old id with its data, and the new one with its limit:
//	                                                                   if the second trip is lost, the old one stays
//	BySubject                   1                          1 + 1 / 64  64 sessions
//	Count                       1                          1 pipeline  a partition
//	Sweep                       1 for each batch, 1 more   1 to 2 for  a partition's share of a batch
//	                            with OnExpire, and Count   each partition with work
//
// An unreadable payload costs one trip more, to take it away.
//
// # Guaranteed
//
//   - No lost update: a [Manager.Save] over a newer one fails, with the newer one
//     in its [*ConflictError].
//   - No doubled update: a conflict means that nothing was saved, also when
//     replies were lost; where that cannot be known, it is [ErrUnavailable].
//   - No resurrection: neither a late Save nor a touch brings a deleted or
//     expired session back, nor does it reach one created later under the same
//     [Conversation].
//   - Timeouts are the store's, by its clock: skewed clocks of replicas do not
//     matter. Nothing outlives Config.AbsoluteTimeout.
//   - One handler at a time: two functions under [Manager.Exclusive] or
//     [Manager.Converse] for one session never both save. Within a process they
//     run in the order of the calls.
//   - Each expiry is told to Config.OnExpire at least once, to one process at a
//     time, as long as some cleanup runs within Config.Grace and the store keeps
//     its data.
//   - One unreadable record costs one error: it is taken away when it is met,
//     and neither the next request nor the cleanup stumbles over it.
//   - Ids are 248 random bits; the store keeps only their hashes; they are
//     redacted wherever they are printed; an unknown id is never adopted.
//   - Errors and events hold no token, subject or payload.
//
// # Not guaranteed
//
//   - OnExpire exactly once: it is repeated when a process dies between the
//     call and the store's knowing. [Expired].ID is the same then.
//   - That only one function under Exclusive is running: one that ignores the
//     end of its context goes on although its lease is lost. It cannot save.
//   - Order across processes: whoever asks at the right moment is next.
//   - Expiry to the second: a session ends between IdleTimeout - TouchEvery and
//     IdleTimeout after its last use. Its data stays in the store until the
//     cleanup comes by.
//   - That an unreadable record is found before somebody reads it or it expires:
//     the cleanup reads the index, not every record.
//   - Durability: that is the store's.
//   - Anything about HTTP: cookies are the caller's.
//
// Package redissession keeps sessions in Redis, memsession in memory;
// sessiontest checks other stores.
package session
