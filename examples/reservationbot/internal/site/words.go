// SPDX-License-Identifier: MIT

package site

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

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
