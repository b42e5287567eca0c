// SPDX-License-Identifier: MIT

package talk

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// Tuesday, 1 December 2026.
func detect(text string) Request { return Detect(text, hotel.Day(2026, time.December, 1)) }

// brief writes what was read: "book?" is unsure, "!3" a problem.
func brief(r Request) string {
	words := []string{string(r.Intent)}
	if r.Unsure {
		words[0] += "?"
	}
	if r.Room != "" {
		words = append(words, r.Room)
	}
	if !r.In.IsZero() || !r.Out.IsZero() {
		dates := "-"
		if !r.In.IsZero() {
			dates = r.In.String() + dates
		}
		if !r.Out.IsZero() {
			dates += r.Out.String()
		}
		words = append(words, dates)
	}
	if !r.SwappedIn.IsZero() {
		words = append(words, "or", r.SwappedIn.String())
	}
	if r.Nights > 0 && r.Out.IsZero() {
		words = append(words, fmt.Sprint(r.Nights, " nights"))
	}
	if r.Number != "" {
		words = append(words, "number "+r.Number)
	}
	if r.Nth > 0 {
		words = append(words, fmt.Sprint("nth ", r.Nth))
	}
	if r.Another {
		words = append(words, "another")
	}
	if r.Problem != (Message{}) {
		words = append(words, fmt.Sprint("!", r.Problem, r.Wrong))
	}
	return strings.Join(append(words, r.Reference), " ")
}

func TestDetectReadsVerbsRoomsAndDates(t *testing.T) {
	for text, want := range map[string]string{
		"book room 101 from 2026-12-12 to 2026-12-15":               "book 101 2026-12-12-2026-12-15",
		"hold room 7 for two nights from December 30, 2026!":        "hold 7 2026-12-30-2027-01-01",
		"reserve a room for two from 12 to 15 December":             "book 2026-12-12-2026-12-15",
		"book a night from tuesday":                                 "book? 2026-12-08-2026-12-09",
		"book from 3 March to 5 March":                              "book 2027-03-03-2027-03-05",
		"book from Monday to Friday":                                "book 2026-12-07-2026-12-11",
		"book from 20 February 2027 to 5 March":                     "book 2027-02-20-2027-03-05",
		"book from 12 December":                                     "book 2026-12-12-",
		"book until 12 December":                                    "book -2026-12-12",
		"book from 12 December for 2,5 nights":                      fmt.Sprint("book 2026-12-12- !", Text.WholeNights),
		"book from 31 June for 2 nights":                            fmt.Sprint("book 2 nights !", Text.NoSuchDay, "31 June"),
		"book on 3/12 for 2 nights":                                 "book 2026-12-03-2026-12-05 or 2027-03-12",
		"reservar el 3/12 por 2 noches":                             "book 2026-12-03-2026-12-05",
		"book from 3/12 to 14/12":                                   "book 2026-12-03-2026-12-14",
		"book from 12/3 to 12/14":                                   "book 2026-12-03-2026-12-14",
		"Is room 101 free? I want to book it":                       "availability? 101",
		"extend it for the night":                                   "extend 1 nights",
		"yes, help":                                                 "yes?",
		"extend my hold":                                            "extend",
		"please cancel my booking HF-7K2QP":                         "cancel HF-7K2QP",
		"cancel hold":                                               "cancel",
		"do not cancel":                                             "no?",
		"can I cancel?":                                             "cancel?",
		"no, room 102":                                              "unknown? 102",
		"the second":                                                "unknown? 2026-12-02- nth 2",
		"another room":                                              "unknown another",
		"Ayuda, por favor":                                          "help",
		"guárdame la habitación 101 por dos noches desde mañana":    "hold 101 2026-12-02-2026-12-04",
		"¿Qué habitaciones hay libres el sábado por una noche?":     "availability? 2026-12-05-2026-12-06",
		"Reservar la habitación 102 del 3 de enero de 2027 al 5":    "book? 102 2027-01-03-2027-01-05",
		"book room 101 from 2026-12-12 to 2026-12-15, ｎｏ":           "book? 101 2026-12-12-2026-12-15",
		"book room 101 from 2026-12-12 to 2026-12-15, Do\u200bn't!": "book? 101 2026-12-12-2026-12-15",
	} {
		if got := strings.TrimSpace(brief(detect(text))); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestTheLanguageIsThatOfMostWords(t *testing.T) {
	for text, want := range map[string]Lang{
		"extend my hold": English, "ampliar mi espera": Spanish, "sí": Spanish, "no": "", "42": "", "": "", "hola, book room 101 for a night": English,
	} {
		if got := detect(text).Lang; got != want {
			t.Errorf("%q is in %q, want %q", text, got, want)
		}
	}
}

// questions are all that the bot may have asked.
func questions() (all []*Question) {
	about := Request{Intent: Book, Room: "101", In: hotel.Day(2026, time.December, 12), Out: hotel.Day(2026, time.December, 14), Unsure: true}
	all = append(all, nil)
	for _, s := range []Slot{Consent, Dates, NightCount, Room, DateOrder, Choice, OtherRoom, NextStep, Action} {
		for _, i := range []Intent{Book, Hold, Extend, Cancel, Availability} {
			about.Intent, about.Unsure = i, s == Consent
			all = append(all, &Question{s, about})
		}
	}
	return all
}

// neverActs reports an action that a negated message would lead to.
func neverActs(t *testing.T, text string) {
	t.Helper()
	for _, not := range []string{"no ", "No, ", "don't ", "do not ", "never ", "nunca "} {
		r := detect(not + text)
		for _, q := range questions() {
			if whole := q.Answer(r); whole.Intent.Acts() && !whole.Unsure {
				t.Fatalf("%q after %+v leads to %s", not+text, q, brief(whole))
			}
		}
	}
}

func TestANegationInFrontOfAnythingLeadsToNoAction(t *testing.T) {
	words := slices.Sorted(maps.Keys(entries))
	words = append(words, "101", "102", "2", "12", "2026-12-12", "12/12", "?", ",", ".", "-")
	random := rand.New(rand.NewPCG(1, 0))
	for range 150 {
		var said []string
		for range 1 + random.IntN(7) {
			said = append(said, words[random.IntN(len(words))])
		}
		neverActs(t, strings.Join(said, " "))
	}
}

func FuzzANegationInFrontOfAnythingLeadsToNoAction(f *testing.F) {
	f.Add("book room 101 from 2026-12-12 to 2026-12-15")
	f.Add("yes, 2")
	f.Add("\u0301cancel. yes")
	f.Fuzz(neverActs)
}

func FuzzWhatIsReadIsWellFormed(f *testing.F) {
	f.Add("book room 101 from 12 Dec to 2026-12-15 or 3/4, HF-7K2QP")
	f.Fuzz(func(t *testing.T, text string) {
		r := detect(text)
		if !slices.Contains(Intents(), r.Intent) {
			t.Errorf("intent %q", r.Intent)
		}
		for _, d := range []hotel.Date{r.In, r.Out, r.SwappedIn, r.SwappedOut} {
			if again, err := hotel.ParseDate(d.String()); !d.IsZero() && (err != nil || again != d) {
				t.Errorf("date %s does not survive being written", d)
			}
		}
	})
}
