// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/drill"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// work does what the flags ask for, until it is done or ctx ends.
func (b *bot) work(ctx context.Context, in io.Reader, out, errs io.Writer) error {
	switch script := b.options.script; {
	case script == "-":
		return drill.Play(ctx, b.Parts, in, out)
	case script != "":
		file, err := os.Open(script)
		if err != nil {
			return err
		}
		defer file.Close()
		return drill.Play(ctx, b.Parts, file, out)
	case b.options.storm > 0:
		return storm(ctx, b, out, errs)
	}
	return serve(ctx, b, out)
}

// storm lets the guests loose and prints a tally. It fails when a room was
// booked twice, or the trail has lost an event.
func storm(ctx context.Context, b *bot, out, errs io.Writer) error {
	s := b.storm()
	result, err := s.Run(ctx, s.Plan(b.options.storm), errs)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(result); err != nil {
		return err
	}
	if result.DoubleBookings > 0 || result.AuditLost > 0 {
		return fmt.Errorf("%d double bookings, %d audit events lost", result.DoubleBookings, result.AuditLost)
	}
	return nil
}

// storm is the bot's own desk with longer patience and shorter holds, and with places
// of its own: the guests who are here already keep theirs.
func (b *bot) storm() *drill.Storm {
	s := &drill.Storm{Desk: *b.Desk, Trail: b.Trail, PMS: b.PMS, Oracle: b.oracle, Seed: b.options.seed}
	s.Desk.HoldFor, s.Desk.Think, s.Desk.PMSTimeout = drill.HoldFor, drill.Think, drill.Call
	s.Desk.Chats, s.Desk.Places = b.crowd, make(chan struct{}, connections)
	if b.oracle != nil {
		s.Desk.Asking = b.oracle.Asking
	}
	return s
}

// stormsHere are a storm on this bot's own hotel and, to show what locks are for,
// the same on a hotel of its own without them. Both begin with the same
// bookings, which are not those of an earlier storm, and the same switches.
func (b *bot) stormsHere(ctx context.Context, guests int, done func(site.Tally)) (err error) {
	control, err := open(ctx, options{storm: guests, noLocks: true, rooms: b.options.rooms, seed: b.options.seed, redis: b.options.redis, settleAfter: b.options.settleAfter})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, control.close()) }()
	control.Desk.Today = b.Desk.Today
	if err := control.resemble(ctx, b); err != nil {
		return err
	}
	for _, b := range []*bot{b, control} {
		storm := b.storm()
		tries := storm.Plan(guests)
		b.latest = tries[0].Run
		result, failed := storm.Run(ctx, tries, io.Discard)
		done(result)
		err = errors.Join(err, failed)
	}
	return err
}

// resemble makes the bookings of the other bot's hotel, without those of its latest
// storm, and turns its switches.
func (b *bot) resemble(ctx context.Context, other *bot) error {
	ctx, cancel := context.WithTimeout(ctx, drill.Call)
	defer cancel()
	if other.latest != "" {
		if err := other.PMS.Clear(ctx, other.latest); err != nil {
			return err
		}
	}
	bookings, err := other.PMS.Ledger(ctx)
	for _, booked := range bookings {
		if err == nil {
			_, err = b.PMS.Book(ctx, hotel.Order{Key: booked.Key, Guest: booked.Guest, Stay: booked.Stay})
		}
	}
	positions := other.Switches.Read()
	delete(positions, "trail") // this one is not sealed
	return errors.Join(err, b.Switches.Set(ctx, positions))
}

// serve answers on the web until ctx ends. Then it stops listening, ends the
// streams and a storm that is on, and lets the requests that are under way
// finish; the parts are closed after that.
func serve(ctx context.Context, b *bot, out io.Writer) error {
	listener, err := net.Listen("tcp", b.options.addr)
	if err != nil {
		return err
	}
	if err := b.furnish(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	name, _, _ := net.SplitHostPort(b.options.addr) // which was listened to
	b.Hosts = append(b.options.hosts, name)
	page := site.New(b.Parts)
	server := newServer(page.Handler())
	var running sync.WaitGroup
	running.Go(func() { page.Run(ctx) })
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	b.doing("The page is ready; Ctrl-C ends the program:")
	address := "http://" + listener.Addr().String() + "/"
	fmt.Fprintln(out, address)
	if b.options.open {
		opener := cmp.Or(map[string]string{"windows": "explorer", "darwin": "open"}[runtime.GOOS], "xdg-open")
		if err := exec.Command(opener, address).Start(); err != nil {
			b.doing("no browser could be opened: %v", err)
		}
	}

	select {
	case err := <-served:
		page.Close()
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	err = server.Shutdown(patience)
	running.Wait()
	<-served
	return err
}

// newServer bounds everything that a client can make it wait for or store.
func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // streams of events move it along
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 14,
	}
}

// furnish gives the embedded hotel some guests, so that the calendar is not
// bare. The first three rooms stay free.
func (b *bot) furnish(ctx context.Context) error {
	if b.options.pms != "" {
		return nil
	}
	for i := 3; i < len(b.Desk.Rooms); i++ {
		room, in := b.Desk.Rooms[i], b.today().Plus(i*5%9)
		stay := hotel.Stay{Room: room, In: in, Out: in.Plus(1 + i%4)}
		guest := []string{"Ms Byrne", "Dr Okafor", "Sra. Ruiz", "the Lindqvists"}[i%4]
		if _, err := b.PMS.Book(ctx, hotel.Order{Key: "furnished " + room, Guest: guest, Stay: stay}); err != nil {
			return err
		}
	}
	return nil
}
