// SPDX-License-Identifier: MIT

package talk

import (
	_ "embed"
	"encoding/json"
	"strings"
)

// Lang is a language of the bot.
type Lang string

const (
	English Lang = "en"
	Spanish Lang = "es"
)

// Of returns the text in the language, of English and Spanish.
func (l Lang) Of(both [2]string) string {
	if l == Spanish {
		return both[1]
	}
	return both[0]
}

// Intent is what a guest wants.
type Intent string

const (
	Unknown      Intent = "unknown"
	Book         Intent = "book"
	Hold         Intent = "hold"
	Extend       Intent = "extend"
	Cancel       Intent = "cancel"
	Availability Intent = "availability"
	List         Intent = "list" // the guest's own bookings
	Help         Intent = "help"
	House        Intent = "house" // prices, meals, a person: what this bot does not know
	Yes          Intent = "yes"
	No           Intent = "no" // of "no" and "do not cancel" alike: nothing is to be done
)

// Intents lists all intents.
func Intents() []Intent {
	return []Intent{Cancel, Extend, Hold, Book, Availability, House, List, Yes, No, Help, Unknown}
}

type entry struct {
	class string
	n     int
	lang  Lang // "" = both
}

// lexicon lists words and phrases by class, English and Spanish, as they look
// after fold. "|" separates words with one meaning. ", " separates meanings,
// which are numbered from 0. A second meaning of a verb is a doubtful one: it
// is asked about before anything is done. The words of the last class, "", change
// nothing. A word that is not listed at all is a reason to ask.
//
//go:embed lexicon.json
var lexicon []byte

// entries has each word of the lexicon.
var entries = func() map[string]entry {
	var classes map[string][2]string
	if err := json.Unmarshal(lexicon, &classes); err != nil {
		panic(err)
	}
	all := make(map[string]entry)
	for class, both := range classes {
		for i, lang := range []Lang{English, Spanish} {
			for n, meaning := range strings.Split(both[i], ", ") {
				for word := range strings.SplitSeq(meaning, "|") {
					e := entry{class, n, lang}
					if other, twice := all[word]; twice && other.lang != lang {
						e.lang = ""
					}
					all[word] = e
				}
			}
		}
	}
	return all
}()

var monthNames = map[Lang][12]string{
	English: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	Spanish: {"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
}
