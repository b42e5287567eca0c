// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisTick is how often the embedded Redis looks at the clock.
const redisTick = 20 * time.Millisecond

// startRedis starts a Redis inside this process and returns its address.
//
// With ClockTTL it visits all its keys whenever its clock has moved, which the
// system's has at every command. So it gets one that moves with the tick: a
// storm then takes a third of the time. What it expires may end earlier by a
// tick, for which leases keep a margin.
func (b *bot) startRedis() (addr string, err error) {
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	server.SetTime(time.Now())
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("embedded redis: %w", err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		clock := time.NewTicker(redisTick)
		defer clock.Stop()
		for {
			select {
			case <-clock.C:
				server.SetTime(time.Now())
			case <-stop:
				return
			}
		}
	}()
	b.closing("embedded Redis", func(context.Context) error {
		close(stop)
		<-stopped
		server.Close()
		return nil
	})
	return server.Addr(), nil
}
