// SPDX-License-Identifier: MIT

package lock

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// Ref is a detached lease that can be stored and sent: [Manager.Resume] takes
// it up again, in any process. A program that has it can do what the holder
// can: keep it like a password. It is JSON-able, and prints without its
// secret. The zero Ref is of no lease.
type Ref struct {
	space, group, name, id string
	secret                 *string // a pointer, which is all that printing a struct around a Ref can show
}

const refVersion = 1

// refRecord is what a Ref looks like in JSON.
type refRecord struct {
	Version int    `json:"v"`
	Space   string `json:"space"`
	Group   string `json:"group"`
	Name    string `json:"name"`
	ID      string `json:"id"`
	Secret  string `json:"secret"`
}

// ID returns the public id of the hold.
func (r Ref) ID() string { return r.id }

// IsZero reports whether it is the zero Ref.
func (r Ref) IsZero() bool { return r == Ref{} }

// String names the hold without its secret.
func (r Ref) String() string {
	if r.IsZero() {
		return "no lease"
	}
	return fmt.Sprintf("lease %s in %s", r.id, r.space)
}

// Format prints String, whatever the verb.
func (r Ref) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// LogValue logs String.
func (r Ref) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON includes the secret: what it returns is for storing, not for
// showing. The zero Ref is null.
func (r Ref) MarshalJSON() ([]byte, error) {
	if r.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(refRecord{refVersion, r.space, r.group, r.name, r.id, *r.secret})
}

// UnmarshalJSON takes what MarshalJSON returns. Anything else is [ErrInvalid]
// and leaves r as it is.
func (r *Ref) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*r = Ref{}
		return nil
	}
	var rec refRecord
	switch err := json.Unmarshal(text, &rec); {
	case err != nil || rec.Version < 1: // err may quote the secret
		return invalid("this JSON was not made from a Ref")
	case rec.Version > refVersion:
		return invalid("a Ref in format %d, made by a later version of this package, which knows formats up to %d", rec.Version, refVersion)
	}
	ref := Ref{space: rec.Space, group: rec.Group, name: rec.Name, id: rec.ID, secret: &rec.Secret}
	if _, err := ref.ticket(); err != nil {
		return err
	}
	*r = ref
	return nil
}

// ticket checks the Ref's shape. Only the store knows whether it is true.
func (r Ref) ticket() (StoreTicket, error) {
	switch {
	case r.IsZero():
		return StoreTicket{}, invalid("the zero Ref stands for no lease")
	case !isSpace(r.space), r.group == "", !isText(r.group, MaxName), r.name == "", !isText(r.name, MaxName), !isID(r.id), !isToken(*r.secret):
		return StoreTicket{}, invalid("a Ref of which a part is missing or was changed")
	}
	return StoreTicket{Space: r.space, Group: r.group, ID: r.id, Token: digest(*r.secret), Name: r.name}, nil
}

// isToken accepts what could be a token: an id that may have - and _ in it.
func isToken(s string) bool {
	return len(s) <= 64 && isID(strings.NewReplacer("-", "0", "_", "0").Replace(s))
}

// isID accepts what could be an id: letters and digits.
func isID(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
