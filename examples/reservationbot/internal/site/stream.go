// SPDX-License-Identifier: MIT

package site

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	heartbeat  = 15 * time.Second
	writeWait  = 5 * time.Second // a client that takes nothing for so long is cut off
	maxStreams = 64
)

// streams wake the open pages.
//
// There is no queue per client: each is sent what is different from what it
// has, as things are when it is ready for more. So no client delays another,
// and nothing piles up for a slow one. One that takes nothing at all is cut
// off; its browser connects again and gets everything.
type streams struct {
	mu     sync.Mutex
	open   []*seat       // the oldest first
	wake   chan struct{} // closed, and made anew, by hurry
	change uint64        // counts calls of hurry
	busy   time.Time     // when the latest was
}

// hurry has all pages look again at once: something was changed from here.
func (st *streams) hurry() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.change++
	st.busy = time.Now()
	close(st.wake)
	st.wake = make(chan struct{})
}

// woken is closed by the next hurry.
func (st *streams) woken() <-chan struct{} {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.wake
}

// seat is one open page.
type seat struct {
	address string
	end     context.CancelFunc
}

// enter opens a page, and returns a context that ends when another page needs its
// place: the oldest page of the address that has most is closed for it. So no
// address shuts others out.
func (st *streams) enter(ctx context.Context, remote string) (_ context.Context, leave func()) {
	address, _, _ := net.SplitHostPort(remote)
	ctx, end := context.WithCancel(ctx)
	mine := &seat{address, end}
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.open) >= maxStreams {
		st.remove(st.spare())
	}
	st.open = append(st.open, mine)
	return ctx, func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.remove(mine)
	}
}

// spare is the oldest page of the address that has most. st.mu is held.
func (st *streams) spare() (oldest *seat) {
	count := make(map[string]int)
	for _, s := range st.open {
		count[s.address]++
	}
	for _, s := range st.open {
		if oldest == nil || count[s.address] > count[oldest.address] {
			oldest = s
		}
	}
	return oldest
}

// remove ends a page, unless it has ended. st.mu is held.
func (st *streams) remove(s *seat) {
	s.end()
	st.open = slices.DeleteFunc(st.open, func(other *seat) bool { return other == s })
}

// busyFor is how long after something was done here more may happen.
const busyFor = 5 * time.Second

// pace returns a number that changes with each hurry, and how often parts are
// read now.
func (s *Site) pace() (change uint64, every time.Duration) {
	running := s.storm.Load().Running
	st := &s.streams
	st.mu.Lock()
	defer st.mu.Unlock()
	if running || time.Since(st.busy) < busyFor {
		return st.change, s.Tick
	}
	return st.change, idle * s.Tick
}

// events streams the sections of the page. The first event, "reload", has all
// of them; each later one, "change", has those that are different now.
func (s *Site) events(w http.ResponseWriter, r *http.Request) {
	ctx, leave := s.streams.enter(r.Context(), r.RemoteAddr)
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("retry: 500\n\n"))
	c := client{Site: s, w: w, control: http.NewResponseController(w), has: make(map[string]uint64)}
	ask := s.asked(r)
	every := time.NewTicker(s.Tick)
	defer every.Stop()
	for name := "reload"; ; name = "change" {
		woken := s.streams.woken()
		if err := c.update(ctx, name, ask); err != nil {
			return
		}
		select {
		case <-every.C:
		case <-woken:
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// client is one page that is open.
type client struct {
	*Site
	w       http.ResponseWriter
	control *http.ResponseController
	has     map[string]uint64 // hash of each section that it has
	shown   State             // as it has it
	sparks  []Spark
	last    time.Time // of a write
}

var seed = maphash.MakeSeed()

// oneLine keeps what guests write from ending a line of the stream.
var oneLine = strings.NewReplacer("\n", " ", "\r", " ")

// update sends the sections that the client does not have.
func (c *client) update(ctx context.Context, name string, ask question) error {
	st := c.look(ctx, ask.guest)
	st.Time = time.Time{} // sent by itself
	sparks := c.history.Load().sparks
	var sections []section
	switch {
	case !reflect.DeepEqual(st, c.shown):
		v := c.view(st, ask)
		v.Live = true
		sections = v.sections()
	case !slices.Equal(sparks, c.sparks): // the curves move on for a minute
		sections = []section{{"metrics", "metrics", view{Sparks: sparks}}}
	}
	c.shown, c.sparks = st, sparks
	var b, html bytes.Buffer
	for _, part := range sections {
		html.Reset()
		if err := c.pages[ask.lang].ExecuteTemplate(&html, part.template, part.data); err != nil {
			return err
		}
		if sum := maphash.Bytes(seed, html.Bytes()); c.has[part.id] != sum {
			c.has[part.id] = sum
			fmt.Fprintf(&b, "data: %s %s\n", part.id, oneLine.Replace(html.String()))
		}
	}
	if b.Len() == 0 {
		if time.Since(c.last) < heartbeat {
			return nil
		}
		b.WriteString(": still here\n")
	} else {
		fmt.Fprintf(&b, "data: now %d\nevent: %s\n", time.Now().UnixMilli(), name)
	}
	b.WriteByte('\n')
	c.last = time.Now()
	if err := c.control.SetWriteDeadline(c.last.Add(writeWait)); err != nil {
		return err
	}
	if _, err := c.w.Write(b.Bytes()); err != nil {
		return err
	}
	return c.control.Flush()
}
