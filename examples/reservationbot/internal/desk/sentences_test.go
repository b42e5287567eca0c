// SPDX-License-Identifier: MIT

package desk

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
)

// A line of the tables is what a guest says and what must happen: either what
// changes, with "-" in front of what ends, or how the answer begins when
// nothing changes. An empty line begins a new hotel and a new guest.

func TestEverySentenceDoesWhatItSaysOrIsAskedAbout(t *testing.T) {
	lines, lost := 0, 0
	for talked := range strings.SplitSeq(strings.ReplaceAll(sentences+strangers, "\n", "\n\n")+dialogues+strangerTalks+curious, "\n\n") {
		f := newFixture(t)
		f.Rooms = hotel.Rooms(40)
		for line := range strings.Lines(talked) {
			said, want, _ := strings.Cut(strings.TrimSpace(line), " => ")
			if said == "" {
				continue
			}
			changes, r := f.happens(t, said)
			got := strings.Join(changes, ", ")
			if got == "" && strings.HasPrefix(want, `"`) {
				got = `"` + r.Text[:min(len(r.Text), len(want)-2)] + `"`
			}
			if got != want {
				t.Errorf("%s\n got %s (%s)\nwant %s", strings.TrimSpace(talked), got, r.Text, want)
			}
			lines++
			if r.Text == talk.Say(r.Lang, talk.Text.NotUnderstood) {
				lost++
			}
		}
	}
	if lines < 500 || lost > lines/10 {
		t.Errorf("%d of %d sentences are not understood", lost, lines)
	}
}

// happens says what a message changes, such as "books 101 2026-12-12 2".
func (f fixture) happens(t *testing.T, text string) (changes []string, r Reply) {
	t.Helper()
	before := f.state(t)
	r = f.Answer(t.Context(), "ana", text)
	after := f.state(t)
	for s := range before {
		if !after[s] {
			changes = append(changes, "-"+s)
		}
	}
	for s := range after {
		if !before[s] {
			changes = append(changes, s)
		}
	}
	slices.Sort(changes)
	return changes, r
}

// state lists the bookings and the holds.
func (f fixture) state(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	brief := func(what, room string, in, out hotel.Date) {
		all[fmt.Sprintf("%s %s %s %d", what, room, in, out.Since(in))] = true
	}
	for _, b := range f.pms.bookings {
		brief("books", b.Stay.Room, b.Stay.In, b.Stay.Out)
	}
	for h, err := range f.rooms.Holds(t.Context(), lock.Resource{}) {
		if err != nil {
			t.Fatal(err)
		}
		in, out := h.Resource.Times()
		if h.Extensions > 0 {
			all[fmt.Sprintf("extended %d times", h.Extensions)] = true
		}
		brief("holds", strings.TrimPrefix(h.Resource.Name(), "room/"), hotel.DateOf(in), hotel.DateOf(out))
	}
	return all
}

// Whatever is said, nothing panics, and nothing changes without a word that
// asks for it.
func FuzzNothingIsDoneUnasked(f *testing.F) {
	for i, line := range slices.Collect(strings.Lines(sentences)) {
		if said, _, _ := strings.Cut(line, " => "); i%8 == 0 {
			f.Add(said)
		}
	}
	f.Add("b'ok room 102 Fri to Sun")
	asking := regexp.MustCompile(`(?i)b+o+k|res.{1,2}rv|confi|hold|keep|aside|guard|gu.rd|apart|exten|more time|longer|cancel|cancle|annul|anul|call.off|ill.take`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, not := range []string{"", "don't "} {
			h := newFixture(t)
			h.as(t, "ana", "book room 102 from 2026-12-12 to 2026-12-15", OK)
			h.as(t, "ana", "hold "+stay, OK)
			changes, r := h.happens(t, not+text)
			if r.Text == "" || len(changes) > 0 && (not != "" || !asking.MatchString(text)) {
				t.Fatalf("%q: %v, %q", not+text, changes, r.Text)
			}
		}
	})
}
