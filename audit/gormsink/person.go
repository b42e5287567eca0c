// SPDX-License-Identifier: MIT

package gormsink

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/audit"
)

// Person says whom [Sink.Erase] erases: the entity of this Type and ID in the
// events of this Tenant, each as it was recorded.
type Person struct {
	Type, ID, Tenant string
	// Keys are the keys in details whose values are ids of people of this Type,
	// such as "held_by" and "holder" for the events of locks, at any depth.
	Keys []string
}

// minUnique is the length from which on an id that is not all digits is taken for
// the person's wherever it stands.
const minUnique = 8

// unique reports whether the id says on its own whom it means.
func (p Person) unique() bool {
	return utf8.RuneCountInString(p.ID) >= minUnique && strings.Trim(p.ID, "0123456789") != ""
}

func (p Person) is(e audit.Entity) bool { return e.Type == p.Type && e.ID == p.ID }

// erase removes the person from an event of the right tenant. It reports whether
// that changed the event, and whether the id is also where it may or may not
// mean the person, and has stayed there.
func (p Person) erase(e *audit.Event) (changed, possible bool) {
	before := *e
	actor, resource, behalf := p.is(e.Actor), p.is(e.Resource), p.is(e.OnBehalfOf)
	if actor {
		e.Actor.ID, e.Actor.Name = "", ""
		e.Session, e.SourceAddress, e.UserAgent = "", "", ""
	}
	if resource {
		e.Resource.ID, e.Resource.Name = "", ""
	}
	if behalf {
		e.OnBehalfOf.ID, e.OnBehalfOf.Name = "", ""
	}
	if actor || resource || behalf {
		e.Details = erasedDetails
	} else {
		e.Details, possible = p.eraseDetails(e.Details)
	}
	possible = possible || e.Reason == p.ID || e.Session == p.ID || e.Correlation == p.ID
	return *e != before, possible
}

// erasedText is in details in the place of an id.
const erasedText = `"erased"`

var erasedDetails, _ = audit.ParseDetails(`{"erased":true}`)

// eraseDetails replaces the id in details, and reports whether it is somewhere
// else in them, too. The rest of the text stays as it was.
func (p Person) eraseDetails(d audit.Details) (audit.Details, bool) {
	if d.IsZero() {
		return d, false
	}
	r := reader{person: p, text: d.String(), tokens: json.NewDecoder(strings.NewReader(d.String()))}
	r.tokens.UseNumber()
	r.value(false)
	slices.SortFunc(r.found, func(a, b scalar) int { return cmp.Compare(a.begin, b.begin) })
	var out strings.Builder
	at := 0
	for _, f := range r.found {
		out.WriteString(r.text[at:f.begin])
		out.WriteString(erasedText)
		at = f.end
	}
	erased, err := audit.ParseDetails(out.String() + r.text[at:])
	if err != nil {
		return d, true
	}
	return erased, r.possible
}

// reader finds a person in the text of details.
type reader struct {
	person   Person
	text     string
	tokens   *json.Decoder
	found    []scalar
	possible bool
}

// scalar is a text or a number, with its place.
type scalar struct {
	begin, end int
	value      string
	isText     bool
}

// value reads a value. named says that one of the person's keys is before it. A
// text or number is returned, and not looked at.
func (r *reader) value(named bool) (s scalar, ok bool) {
	begin := int(r.tokens.InputOffset())
	for strings.IndexByte(" \t\r\n,:", r.text[begin]) >= 0 {
		begin++
	}
	token, _ := r.tokens.Token() // details are valid JSON
	end := int(r.tokens.InputOffset())
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			r.object()
			return s, false
		}
		for r.tokens.More() {
			if s, ok := r.value(named); ok {
				r.look(s, named)
			}
		}
		_, _ = r.tokens.Token()
	case string:
		return scalar{begin, end, t, true}, true
	case json.Number:
		return scalar{begin, end, t.String(), false}, true
	}
	return s, false
}

// look decides about a text or number.
func (r *reader) look(s scalar, named bool) {
	switch {
	case s.value != r.person.ID:
	case named || s.isText && r.person.unique():
		r.found = append(r.found, s)
	default:
		r.possible = true
	}
}

func (r *reader) object() {
	members := make(map[string][]scalar)
	for r.tokens.More() {
		token, _ := r.tokens.Token()
		key, _ := token.(string)
		r.possible = r.possible || key == r.person.ID
		if s, ok := r.value(slices.Contains(r.person.Keys, key)); ok {
			members[key] = append(members[key], s)
		}
	}
	_, _ = r.tokens.Token()
	has := func(key, value string) bool {
		return slices.ContainsFunc(members[key], func(s scalar) bool { return s.value == value })
	}
	entity := has("type", r.person.Type) && has("id", r.person.ID)
	for key, values := range members {
		for _, s := range values {
			if entity && (key == "id" || key == "name") {
				r.found = append(r.found, s)
			} else {
				r.look(s, slices.Contains(r.person.Keys, key))
			}
		}
	}
}
