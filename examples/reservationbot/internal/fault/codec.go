// SPDX-License-Identifier: MIT

package fault

import (
	"sync/atomic"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/session"
)

// Codec is the sessions' JSON. It has Redis damage the next save of the
// conversation that was marked.
type Codec struct {
	session.JSON
	Redis  *Redis
	marked atomic.Pointer[desk.Chat]
}

// Encode implements [session.Codec].
func (c *Codec) Encode(v any) ([]byte, error) {
	data, err := c.JSON.Encode(v)
	if chat, ok := v.(*desk.Chat); ok && chat != nil && c.marked.CompareAndSwap(chat, nil) {
		end := string(data)
		c.Redis.spoiled.Store(&end)
	}
	return data, err
}
