// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

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
	for i, room := range b.Desk.Rooms {
		if i < 3 {
			continue
		}
		in := b.today().Plus(i * 5 % 9)
		stay := hotel.Stay{Room: room, In: in, Out: in.Plus(1 + i%4)}
		guest := []string{"Ms Byrne", "Dr Okafor", "Sra. Ruiz", "the Lindqvists"}[i%4]
		if _, err := b.PMS.Book(ctx, hotel.Order{Key: "furnished " + room, Guest: guest, Stay: stay}); err != nil {
			return err
		}
	}
	return nil
}
