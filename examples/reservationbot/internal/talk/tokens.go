// SPDX-License-Identifier: MIT

package talk

import (
	_ "embed"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// token is a word, a phrase, a number or a mark of a message.
type token struct {
	text  string
	class string // of the lexicon or of shapes; "" = it means nothing here
	n     int    // its meaning, or the number
	lang  Lang
	typo  bool
	read  bool // by a rule
}

// shapes are what the lexicon does not list, by class. The first that fits is
// taken.
var shapes = []struct{ class, form string }{
	{"reference", `\bhf[- ]?[a-z0-9]{4,6}\b`},
	{"yearfirst", `\b\d{4}[-/.]\d\d?[-/.]\d\d?\b`},
	{"yearlast", `\b\d\d?[-/.]\d\d?[-/.](?:\d{4}|\d\d)\b`},
	{"clock", `\b\d\d?(?::\d\d)? ?(?:[ap]\.?m\b\.?|h\b|hs\b)|\b\d\d?:\d\d\b`},
	{"price", `[$€£] ?\d+(?:[.,]\d+)?|\b\d+(?:[.,]\d+)? ?[€$£]`},
	{"pair", `\b\d\d?\.\d\d?\.|\b\d\d?[-/]\d\d?\b`}, // 12.12. and 12/12 and 12-15
	{"decimal", `\b\d+[.,]\d+\b`},
	{"nth", `\b\d\d?(?:st|nd|rd|th)\b`},
	{"odd", `(?:^|\s)-\d+\b|\b[\pL\d]*\d\pL[\pL\d]*|\b\pL+\d[\pL\d]*`}, // -2 and 101a
	{"digits", `\d+`},
	{"word", `\pL+(?:'\pL+)*|&`},
	{"to", `[-–—]>?`},
	{"stop", `[.!?¿;:,\n]`},
	{"quote", `["«»“”]`},
}

var shape = func() *regexp.Regexp {
	var forms []string
	for _, s := range shapes {
		forms = append(forms, "("+s.form+")")
	}
	return regexp.MustCompile(strings.Join(forms, "|"))
}()

// tokens splits a folded message. Of phrases, the longest is taken.
func tokens(text string) (all []token) {
	for _, at := range shape.FindAllStringSubmatchIndex(text, -1) {
		for i, s := range shapes {
			if at[2*i+2] >= 0 {
				all = append(all, token{text: strings.TrimSpace(text[at[0]:at[1]]), class: s.class})
			}
		}
	}
	for i := 0; i < len(all); i++ {
		switch t := &all[i]; t.class {
		case "word":
			joined := t.phrase(all[i+1:])
			all = slices.Delete(all, i+1, i+1+joined)
		case "digits":
			t.n, _ = strconv.Atoi(t.text[:min(len(t.text), 6)])
			t.class = "number"
			if len(t.text) <= 2 {
				t.class = "int"
			} else if len(t.text) == 4 && t.n >= 1900 && t.n < 2200 {
				t.class = "year"
			}
		case "nth":
			t.n, _ = strconv.Atoi(t.text[:len(t.text)-2])
		}
	}
	return all
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

const longestPhrase = 4 // words

var contraction = regexp.MustCompile(`'(t|s|m|d|re|ve|ll|clock)$`)

// plain is a word without quotes, and without the apostrophe of a contraction. With any
// other it is not the word that it would be without.
func plain(word string) string { return contraction.ReplaceAllString(strings.Trim(word, "'"), "$1") }

// phrase makes t the longest phrase that it begins, and returns how many of
// the next tokens are part of it.
func (t *token) phrase(next []token) int {
	word := plain(t.text)
	words := []string{word}
	for _, n := range next {
		if n.class != "word" || len(words) == longestPhrase {
			break
		}
		words = append(words, plain(n.text))
	}
	for n := len(words); n > 0; n-- {
		if e, ok := entries[strings.Join(words[:n], " ")]; ok {
			t.class, t.n, t.lang = e.class, e.n, e.lang
			return n - 1
		}
	}
	t.class = "unknown"
	if strings.HasSuffix(t.text, "n't") || strings.HasSuffix(t.text, "n'") {
		t.class, t.lang = "neg", English
	} else if e, ok := misspelt(word); ok {
		t.class, t.n, t.lang, t.typo = e.class, e.n, e.lang, true
	}
	return 0
}

var longWords = slices.DeleteFunc(slices.Sorted(maps.Keys(entries)), func(w string) bool { return len(w) < 6 || entries[w].class == "" })

// misspelt returns the entry of a long word that is one letter away.
func misspelt(word string) (entry, bool) {
	i := slices.IndexFunc(longWords, func(known string) bool { return len(word) >= 5 && near(word, known) })
	if i < 0 {
		return entry{}, false
	}
	return entries[longWords[i]], true
}

// near reports whether one letter more, less or changed, or two swapped, make
// a into b.
func near(a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	swapped := len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
	return len(a) <= 1 && len(b) <= 1 || swapped
}

var (
	letters   = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ü", "u", "ñ", "n", "’", "'", "‘", "'", "ʼ", "'", "´", "'", "`", "'", "º", "", "ª", "", "½", " half ")
	short     = strings.NewReplacer("'d ", " would ", "'ll ", " will ")
	between   = regexp.MustCompile(`([./]\d+\.?)[-–](\d)`)
	hyphen    = regexp.MustCompile(`(\pL)-(\pL)`)
	shouting  = regexp.MustCompile(`\bhf[- ]?[a-z0-9]{4,6}\b|a{3,}|e{3,}|i{3,}|o{3,}|u{3,}|n{3,}|r{3,}|s{3,}|t{3,}|l{3,}`)
	invisible = func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}
)

// fold makes words comparable: small letters without accents, hyphens or
// letters that are drawn out.
func fold(text string) string {
	text = letters.Replace(strings.Map(invisible, strings.ToLower(text)))
	text = strings.TrimSuffix(short.Replace(text+" "), " ")
	text = between.ReplaceAllString(text, "$1 - $2") // 12/12-14/12
	text = hyphen.ReplaceAllString(text, "$1 $2")
	return shouting.ReplaceAllStringFunc(text, func(run string) string {
		if run[0] == 'h' {
			return run // a reference
		}
		return run[:1]
	})
}

// past finds a Spanish verb of what was done, such as "reservé" or "canceló". Without
// its accent it would be an order.
var past = regexp.MustCompile(`(?i)\pL{3}(?:[éó]|[eo]\x{301})(?:\PL|$)`)

// foreign reports whether a folded text has letters or digits that are not
// read: some look like others.
func foreign(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsNumber(r)) })
}
