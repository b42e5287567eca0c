// SPDX-License-Identifier: MIT

package talk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

func TestEveryMessageExistsInEveryLanguageWithTheSameArguments(t *testing.T) {
	for field, value := range reflect.ValueOf(Text).Fields() {
		both := value.Interface().(Message)
		english, spanish := strings.Count(both[0], "%s"), strings.Count(both[1], "%s")
		if both[0] == "" || both[1] == "" || english != spanish {
			t.Errorf("%s is missing or takes other arguments in a language: %q", field.Name, both)
		}
	}
}

func TestEveryWordIsFoldedAndHasOneMeaning(t *testing.T) {
	var classes map[string][2]string
	if err := json.Unmarshal(lexicon, &classes); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	for class, both := range classes {
		for i, list := range both {
			for n, meaning := range strings.Split(list, ", ") {
				for word := range strings.SplitSeq(meaning, "|") {
					if word != fold(word) {
						t.Errorf("%q is not folded, so it is never found", word)
					}
					if len(strings.Fields(word)) > longestPhrase {
						t.Errorf("%q is longer than a phrase can be", word)
					}
					means := fmt.Sprintf("%s %d", class, n)
					if other := seen[word]; word != "-" && word != "" && other != "" && other != means {
						t.Errorf("%q is %s in language %d, and %s", word, means, i, other)
					}
					seen[word] = means
				}
			}
		}
	}
}

func TestSayNamesNightsAndRoundsTimesUp(t *testing.T) {
	from := func(text string, n int) []hotel.Date {
		in, err := hotel.ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		return hotel.Stay{In: in, Out: in.Plus(n)}.Nights()
	}
	for _, c := range []struct {
		lang Lang
		arg  any
		want string
	}{
		{English, from("2026-12-12", 1), "the night of 12 December 2026"},
		{English, from("2026-12-12", 3), "the nights of 12, 13 and 14 December 2026"},
		{English, from("2026-12-12", 8), "8 nights from 12 December 2026"},
		{English, from("2026-12-30", 3), "3 nights from 30 December 2026"},
		{Spanish, from("2026-12-12", 1), "la noche del 12 de diciembre de 2026"},
		{Spanish, from("2026-12-12", 2), "las noches del 12 y 13 de diciembre de 2026"},
		{Spanish, from("2026-12-30", 3), "3 noches desde el 30 de diciembre de 2026"},
		{English, 5*time.Minute - time.Second, "5 minutes"},
		{English, time.Second, "1 minute"},
		{Spanish, 2 * time.Minute, "2 minutos"},
		{English, -time.Second, "0 minutes"},
		{English, []string{"101", "102"}, "101, 102"},
	} {
		if got := phrase(c.lang, c.arg); got != c.want {
			t.Errorf("%s: %v is %q, want %q", c.lang, c.arg, got, c.want)
		}
	}
	if got, want := Say(English, Text.NoSuchRoom, "%s"), "There is no room %s here. Which room?"; got != want {
		t.Errorf("a guest's text is formatted: %q", got)
	}
}
