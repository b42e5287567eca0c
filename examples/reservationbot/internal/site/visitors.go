// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
)

const (
	maxGuest   = 64 // that are remembered
	maxListed  = 8  // whose conversations are listed
	maxUnsaved = 10 // lines
)

// visitor is a guest who was here, and the conversation as it was last read.
type visitor struct {
	name string
	chat panel[[]desk.Line]

	mu      sync.Mutex
	unsaved []desk.Line // said since the latest answer that was saved
}

// visitors are the latest guests, the latest last. The zero value is ready.
type visitors struct {
	mu   sync.Mutex
	list []*visitor
}

// of returns the guest, who becomes the latest one.
func (all *visitors) of(s *Site, guest string) *visitor {
	all.mu.Lock()
	defer all.mu.Unlock()
	v := &visitor{name: guest}
	if i := slices.IndexFunc(all.list, func(v *visitor) bool { return v.name == guest }); i >= 0 {
		v = all.list[i]
		all.list = slices.Delete(all.list, i, i+1)
	} else {
		v.chat = panel[[]desk.Line]{name: "conversation", site: s, read: func(ctx context.Context) ([]desk.Line, error) {
			return s.Desk.History(ctx, guest)
		}}
	}
	all.list = append(all.list, v)
	all.list = all.list[max(len(all.list)-maxGuest, 0):]
	return v
}

// latest returns their names, the latest first.
func (all *visitors) latest() (guests []string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, v := range slices.Backward(all.list) {
		guests = append(guests, v.name)
	}
	return guests
}

// said notes an answer. One that may not be in the conversation is shown
// until another is.
func (v *visitor) said(text string, reply desk.Reply) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if reply.Err == nil {
		v.unsaved = nil
		return
	}
	v.unsaved = append(v.unsaved, desk.Line{Who: v.name, Text: text}, desk.Line{Who: "bot", Text: reply.Text, Trace: &reply.Trace})
	v.unsaved = v.unsaved[max(len(v.unsaved)-maxUnsaved, 0):]
}

// look adds the conversation to st.
func (v *visitor) look(ctx context.Context, st *State) {
	st.Lines = v.chat.wait(ctx, st)
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := 1; i < len(v.unsaved); i += 2 {
		saved := slices.ContainsFunc(st.Lines, func(l desk.Line) bool { return l.Trace != nil && l.Trace.ID == v.unsaved[i].Trace.ID })
		if !saved {
			st.Unsaved = append(st.Unsaved, v.unsaved[i-1], v.unsaved[i])
		}
	}
}

// visit bounds how long a page waits for the session of its visitor, which is
// a convenience: the address of a page says who it is, too.
const visit = 250 * time.Millisecond

// guestOf returns who the visitor of this browser was last, if anyone.
func (s *Site) guestOf(r *http.Request) string {
	ctx, cancel := context.WithTimeout(r.Context(), visit)
	defer cancel()
	guest, _ := s.Logins.From(r.Context()).Subject(ctx)
	return guest
}

// formGuest makes the visitor another guest, from the next page on.
func (s *Site) formGuest(r *http.Request) (any, error) {
	guest := r.PostForm.Get("be")
	if !desk.IsName(guest) {
		return nil, errMessage
	}
	ctx, cancel := context.WithTimeout(r.Context(), visit)
	defer cancel()
	if err := s.Logins.From(r.Context()).Login(ctx, guest); err != nil {
		slog.Warn("visitor", "err", err) // the page's address says it, until the visitor leaves
	}
	r.PostForm.Set("guest", guest)
	return nil, nil
}
