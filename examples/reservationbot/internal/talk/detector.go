// SPDX-License-Identifier: MIT

package talk

import (
	"slices"
	"strings"
	"unicode"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// Request is what a message asks for. What the guest did not say is zero.
type Request struct {
	Intent    Intent
	Lang      Lang   // "" when the words do not tell
	Room      string // digits
	In, Out   hotel.Date
	Reference string // of a booking
}

// Detector understands messages by their words. Safe for concurrent use.
type Detector struct {
	Today func() hotel.Date // what "tomorrow" and dates without a year refer to
}

const maxText = 1000 // bytes that are looked at

// Detect never fails: what it cannot make out is Unknown.
func (d Detector) Detect(text string) Request {
	words := strings.FieldsFunc(fold(text[:min(len(text), maxText)]), func(r rune) bool {
		return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	r := Request{Intent: intentOf(words), Lang: langOf(words)}
	p := parser{today: d.Today(), words: words}
	p.parse()
	r.Room, r.Reference = p.room, p.reference
	r.In, r.Out = p.stay()
	return r
}

func intentOf(words []string) Intent {
	best := Unknown
	rank := slices.Index(Intents(), Unknown)
	for _, w := range words {
		for _, vocabulary := range intentWords {
			if intent, ok := vocabulary[w]; ok && slices.Index(Intents(), intent) < rank {
				best, rank = intent, slices.Index(Intents(), intent)
			}
		}
	}
	return best
}

// langOf returns the language that more of the words belong to, or none.
func langOf(words []string) Lang {
	count := make(map[Lang]int)
	for _, w := range words {
		for _, l := range []Lang{English, Spanish} {
			if _, ok := intentWords[l][w]; ok || slices.Contains(otherWords[l], w) {
				count[l]++
			}
		}
	}
	switch en, es := count[English], count[Spanish]; {
	case en > es:
		return English
	case es > en:
		return Spanish
	}
	return ""
}

var accents = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ü", "u", "ñ", "n")

// fold makes words comparable: small letters without accents.
func fold(text string) string { return accents.Replace(strings.ToLower(text)) }
