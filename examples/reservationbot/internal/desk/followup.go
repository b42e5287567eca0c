// SPDX-License-Identifier: MIT

package desk

import (
	"context"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/session"
)

// FollowUp is told of each conversation that a timeout ended. One in which a
// booking was begun and never finished goes into the trail, and its hold, if
// that still lasts, to whoever wants the nights next. It may be called again
// for the same conversation: then nothing happens twice.
func (d *Desk) FollowUp(ctx context.Context, e session.Expired[Chat]) error {
	kept := e.Data.Kept
	if kept == nil {
		return nil
	}
	event := happened("booking.abandoned", e.Conversation.Peer, audit.Failure, e.Reason.String(), kept.Stay)
	event.ID, event.Time = audit.DerivedID(e.ExpiresAt, e.ID), e.ExpiresAt
	if err := d.Audit.Record(ctx, event); err != nil {
		return err
	}
	hold, err := d.Holds.Resume(ctx, kept.Ref)
	if err == nil {
		err = hold.Release(ctx)
	}
	if gone(err) {
		return nil
	}
	return err
}
