// SPDX-License-Identifier: MIT

package site

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

// question is whose page in which language is asked for.
type question struct {
	guest string
	lang  talk.Lang
}

const defaultGuest = "ana"

func asked(r *http.Request) question {
	q := question{r.URL.Query().Get("guest"), langOf(r.URL.Query().Get("lang"))}
	if !desk.IsName(q.guest) {
		q.guest = defaultGuest
	}
	return q
}

func langOf(text string) talk.Lang {
	if text == string(talk.Spanish) {
		return talk.Spanish
	}
	return talk.English
}

// view is what the templates get.
type view struct {
	State
	Guest    string
	Lang     talk.Lang
	Others   []string // names to try
	Live     bool     // the reader's script keeps times running
	Calendar Calendar
	Sparks   []Spark
	Removed  []Count // sessions that ended otherwise than by request
}

// view completes a shared state for one reader.
func (s *Site) view(ctx context.Context, st State, q question) view {
	var err error
	if st.Lines, err = s.Desk.History(ctx, q.guest); err != nil && !slices.Contains(st.Errors, "conversation") {
		st.Errors = append(slices.Clone(st.Errors), "conversation")
	}
	v := view{State: st, Guest: q.guest, Lang: q.lang, Sparks: s.history.sparks(), Removed: s.history.removed()}
	v.Calendar = calendarOf(st, q, s.Desk.Rooms)
	for _, name := range []string{"ana", "ben", "carla"} {
		if name != q.guest {
			v.Others = append(v.Others, name)
		}
	}
	return v
}

// parts of the page that change on their own, beside the calendar's rows.
var parts = []string{"notice", "chat", "breaker", "switches", "storm", "sessions", "audit", "metrics"}

// sections lists the ids of everything that can change.
func (v view) sections() []string {
	ids := slices.Clone(parts)
	for _, row := range v.Calendar.Rows {
		ids = append(ids, row.ID())
	}
	return ids
}

// render returns the inside of one section.
func (s *Site) render(id string, v view) ([]byte, error) {
	var b bytes.Buffer
	page := s.pages[v.Lang]
	for _, row := range v.Calendar.Rows {
		if row.ID() == id {
			err := page.ExecuteTemplate(&b, "row", row)
			return b.Bytes(), err
		}
	}
	err := page.ExecuteTemplate(&b, id, v)
	return b.Bytes(), err
}

func (s *Site) page(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	s.afterForm(ctx)
	q := asked(r)
	s.met(q.guest)
	var b bytes.Buffer
	if err := s.pages[q.lang].Execute(&b, s.view(ctx, s.look(ctx, ""), q)); err != nil {
		slog.Error("page", "err", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		_, _ = w.Write(b.Bytes())
		return
	}
	h.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(b.Bytes())
	_ = z.Close() // whoever hung up will ask again
}

// parsePages makes one template per language.
func parsePages() map[talk.Lang]*template.Template {
	pages := make(map[talk.Lang]*template.Template)
	for _, lang := range []talk.Lang{talk.English, talk.Spanish} {
		funcs := template.FuncMap{
			"t":        func(key string, args ...any) string { return word(lang, key, args...) },
			"state":    func(s string) string { return word(lang, "state."+s) },
			"trace":    func(t *desk.Trace) []Step { return steps(lang, t) },
			"join":     strings.Join,
			"pips":     pips,
			"switches": func(v view) []Switch { return switchesOf(lang, v.Switches) },
			"alerts":   func() []Severity { return shippedAlerts },
			"choices":  func() []string { return chips[lang] },
		}
		pages[lang] = template.Must(template.New("page.html").Funcs(funcs).ParseFS(assets, "page.html"))
	}
	return pages
}

// pips are the breaker's window as at most 20 signs, failures last.
func pips(b Breaker) []bool {
	all, failed := b.Success+b.Failure, b.Failure
	if all > 20 {
		failed = (b.Failure*20 + all - 1) / all
		all = 20
	}
	signs := make([]bool, all)
	for i := range signs {
		signs[i] = uint64(i) < all-failed
	}
	return signs
}

// Switch is one row of buttons.
type Switch struct {
	Name, Title string
	Buttons     []Button
}

// Button is a position of a switch.
type Button struct {
	Value, Title string
	On, Bad      bool
}

func switchesOf(lang talk.Lang, now fault.Switches) (rows []Switch) {
	for _, p := range now.Positions() {
		values := []string{"up", "down"}
		if p[0] == "pms" {
			values = nil
			for _, m := range hotel.Modes {
				values = append(values, string(m))
			}
		}
		if p[0] == "cleanup" {
			values = []string{"running", "stopped"}
		}
		row := Switch{Name: p[0], Title: word(lang, "switch."+p[0])}
		for i, v := range values {
			row.Buttons = append(row.Buttons, Button{v, word(lang, "mode."+v), v == p[1], i > 0})
		}
		rows = append(rows, row)
	}
	return rows
}

// ProbeIn is how long an open breaker waits before it tries again.
func (v view) ProbeIn() string {
	return fmt.Sprintf("%d s", int(max(time.Until(v.Breaker.ProbeAt), 0).Round(time.Second).Seconds()))
}
