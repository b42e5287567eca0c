// SPDX-License-Identifier: MIT

// Package desk is the bot's orchestrator: message → intent → action.
//
//	guest ──text──▶ Desk ──▶ IntentDetector     what does the guest want?
//	                  │────▶ session.Manager    what did we talk about?
//	                  │────▶ Holds              whose nights are these?
//	                  │────▶ breaker ──▶ PMS    book them
//	                  └────▶ audit.Recorder     and say who did what
//
// A booking holds its nights first, asks the PMS whether they are free, books
// with the fence of the hold, and lets go. When the PMS does not answer, or
// the breaker says that it will not, the guest is told so and keeps the hold:
// "book" a little later finishes what was begun. Who never comes back is
// followed up when the conversation expires: see [Desk.FollowUp].
//
// The answer to an order can get lost, after the PMS has booked. So each order is
// noted before it is sent, and what lets go of its hold withdraws it: see
// [Desk.Settle]. A guest is given a booking after the conversation and the trail
// have stored it.
package desk
