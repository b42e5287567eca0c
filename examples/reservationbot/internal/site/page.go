// SPDX-License-Identifier: MIT

package site

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/metrics/monitoring"
)

// question is whose page in which language is asked for.
type question struct {
	guest string
	lang  talk.Lang
}

const defaultGuest = "ana"

// asked reads the address, and only if that does not say who the guest is, the
// session of the visitor.
func (s *Site) asked(r *http.Request) question {
	q := question{r.URL.Query().Get("guest"), langOf(r.URL.Query().Get("lang"))}
	if !desk.IsName(q.guest) {
		q.guest = cmp.Or(s.guestOf(r), defaultGuest)
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
	Live     bool              // the reader's script keeps times running
	Unsent   map[string]string // by form: why what was sent was of no use
	Calendar Calendar
	Sparks   []Spark
}

// view completes a state for one reader.
func (s *Site) view(st State, q question) view {
	v := view{State: st, Guest: q.guest, Lang: q.lang, Sparks: s.history.Load().sparks}
	v.Calendar = calendarOf(st, q, s.Desk.Rooms)
	return v
}

// Changed says that Verify has named a row.
func (v view) Changed(id audit.ID) bool {
	return v.Audit.Verified != nil && slices.Contains(v.Audit.Verified.Changed, id)
}

// Age says that parts are not as they are now.
type Age struct {
	Since int64 // of the oldest, in milliseconds since 1970; 0 = never read
	Ago   string
}

// Age returns nil when all of the parts were read just now.
func (v view) Age(parts ...string) *Age {
	var age *Age
	for _, part := range parts {
		asOf, missing := v.Missing[part]
		switch {
		case missing && asOf.IsZero():
			return &Age{}
		case missing && (age == nil || asOf.UnixMilli() < age.Since):
			age = &Age{asOf.UnixMilli(), fmt.Sprintf("%.0f s", time.Since(asOf).Seconds())}
			if v.Live {
				age.Ago = "" // the reader's script counts
			}
		}
	}
	return age
}

// section is a part of the page that changes on its own.
type section struct {
	id, template string
	data         any
}

// sections lists everything that can change.
func (v view) sections() (all []section) {
	for _, id := range []string{"chat", "breaker", "switches", "storm", "nights", "sessions", "seals", "audit", "metrics"} {
		all = append(all, section{id, id, v})
	}
	for _, row := range v.Calendar.Rows {
		all = append(all, section{row.ID(), "row", row})
	}
	return all
}

func (s *Site) page(w http.ResponseWriter, r *http.Request) {
	q := s.asked(r)
	s.send(w, r, http.StatusOK, s.view(s.look(r.Context(), q.guest), q))
}

func (s *Site) send(w http.ResponseWriter, r *http.Request, status int, v view) {
	var b bytes.Buffer
	if err := s.pages[v.Lang].Execute(&b, v); err != nil {
		slog.Error("page", "err", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding")
	body := io.Writer(w)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		body = z
	}
	w.WriteHeader(status)
	_, _ = b.WriteTo(body) // a client that hung up asks again
}

// parsePages makes one template per language.
func parsePages() map[talk.Lang]*template.Template {
	pages := make(map[talk.Lang]*template.Template)
	for _, lang := range []talk.Lang{talk.English, talk.Spanish} {
		funcs := template.FuncMap{
			"t":      func(english, spanish string, args ...any) string { return say(lang, english, spanish, args...) },
			"word":   func(key string, args ...any) string { return word(lang, key, args...) },
			"pips":   pips,
			"names":  func() []string { return []string{"ana", "ben", "carla"} }, // to try
			"alerts": func() map[string][]string { return shippedAlerts },
		}
		pages[lang] = template.Must(template.New("page.html").Funcs(funcs).ParseFS(assets, "page.html"))
	}
	return pages
}

// pips are a window of the breaker as at most 20 signs, failures last.
func pips(success, failure uint64) []bool {
	if all := success + failure; all > 20 {
		failure = (failure*20 + all - 1) / all
		success = 20 - failure
	}
	return append(slices.Repeat([]bool{true}, int(success)), slices.Repeat([]bool{false}, int(failure))...)
}

// Switch is one row of buttons.
type Switch struct {
	Name      string
	Positions []string
	Stands    string
}

// Switch returns nil when there is no such switch.
func (v view) Switch(name string) *Switch {
	if v.Switches[name] == "" {
		return nil
	}
	return &Switch{name, fault.Switches[name], v.Switches[name]}
}

// ProbeIn is how long an open breaker waits before it tries again.
func (v view) ProbeIn() string {
	return fmt.Sprintf("%d s", int(max(time.Until(v.Breaker.ProbeAt), 0).Round(time.Second).Seconds()))
}

var alertRule = regexp.MustCompile(`(?s)- alert: (\w+)\n.*?severity: (\w+)`)

// shippedAlerts lists the alerts that come with the library, by severity.
var shippedAlerts = func() map[string][]string {
	all := make(map[string][]string)
	paths, _ := fs.Glob(monitoring.Files(), "alerts/*.yml")
	for _, path := range paths {
		rules, _ := fs.ReadFile(monitoring.Files(), path) // it is embedded
		for _, m := range alertRule.FindAllStringSubmatch(string(rules), -1) {
			if !slices.Contains(all[m[2]], m[1]) {
				all[m[2]] = append(all[m[2]], m[1])
			}
		}
	}
	return all
}()

// runbook shows what to do when an alert fires, as it was written.
func runbook(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.ServeFileFS(w, r, monitoring.Files(), "runbooks/"+r.PathValue("alert")+".md")
}

// word returns the text of the page for the key, or the key itself.
func word(lang talk.Lang, key string, args ...any) string {
	both, ok := words[key]
	if !ok {
		return key
	}
	return say(lang, both[0], both[1], args...)
}

// say returns one of two texts, with the arguments in it.
func say(lang talk.Lang, english, spanish string, args ...any) string {
	return fmt.Sprintf(lang.Of([2]string{english, spanish}), args...)
}

var weekdays = map[talk.Lang][7]string{
	talk.English: {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
	talk.Spanish: {"dom", "lun", "mar", "mié", "jue", "vie", "sáb"},
}

//go:embed words.json
var wordsFile []byte

// words are the texts that are chosen by what happens, in English and Spanish. The
// others are in page.html.
var words = func() (all map[string][2]string) {
	if err := json.Unmarshal(wordsFile, &all); err != nil {
		panic(err)
	}
	return all
}()
