// SPDX-License-Identifier: MIT

package httpsession

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// State is what this package keeps in a session beside the caller's data. Embed
// it in T for [Visit.Flash] and [Visit.Devices]:
//
//	type User struct {
//		httpsession.State
//		Cart []string
//	}
type State struct {
	DeviceKey string   `json:"_device,omitempty"`
	UserAgent string   `json:"_agent,omitempty"`
	Network   string   `json:"_network,omitempty"`
	Flashes   []string `json:"_flashes,omitempty"`
}

func (s *State) state() *State { return s }

// stateOf returns the State that T embeds, or nil.
func stateOf[T any](data *T) *State {
	if has, ok := any(data).(interface{ state() *State }); ok {
		return has.state()
	}
	return nil
}

func errNoState[T any](what string) error {
	return fmt.Errorf("%w: %s needs httpsession.State embedded in %T", ErrInvalid, what, *new(T))
}

// Flash stores a text for the next page, such as "Saved.". Costs as Update.
func (v *Visit[T]) Flash(ctx context.Context, text string) error {
	if stateOf(new(T)) == nil {
		return errNoState[T]("Flash")
	}
	return v.Update(ctx, func(data *T) error {
		s := stateOf(data)
		s.Flashes = append(s.Flashes, text)
		return nil
	})
}

// Flashes returns the texts of [Visit.Flash] and removes them: each is returned
// once, whichever of several requests comes first. Without one it writes nothing. A
// request with the id from before a login leaves them to the login.
func (v *Visit[T]) Flashes(ctx context.Context) (texts []string, err error) {
	if stateOf(new(T)) == nil {
		return nil, errNoState[T]("Flashes")
	}
	data, err := v.Data(ctx)
	if err != nil || len(stateOf(&data).Flashes) == 0 {
		return nil, err
	}
	err = v.Update(ctx, func(data *T) error {
		s := stateOf(data)
		texts, s.Flashes = s.Flashes, nil
		return nil
	})
	switch {
	case errors.Is(err, session.ErrReadOnly):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return texts, nil
}

// View is what a template needs of a session.
type View[T any] struct {
	Subject string // "" without a login
	Data    T
	Flashes []string // removed from the session; none when T does not embed State
}

// View returns what a template needs, in one round trip, or two more when there
// are flashes.
func (v *Visit[T]) View(ctx context.Context) (view View[T], err error) {
	if stateOf(new(T)) != nil {
		if view.Flashes, err = v.Flashes(ctx); err != nil {
			return View[T]{}, err
		}
	}
	s, err := v.load(ctx)
	if s == nil || err != nil {
		return view, err
	}
	view.Subject, view.Data = s.Subject, s.Data
	return view, nil
}

// Device is one login of a subject, for a page that lists and ends them.
type Device struct {
	Key                 string // names it for [Visit.EndDevice]; no secret; "" for one that Login did not make
	UserAgent           string // as the browser sent it at login, at most 256 bytes: text from outside
	Network             string // of the address at login: its /24, or /48 for IPv6
	FirstSeen, LastSeen time.Time
	Current             bool // the one of this request
}

// maxAgent is how many bytes of a user agent are kept.
const maxAgent = 256

// describe notes the device at login.
func (v *Visit[T]) describe(data *T) {
	s := stateOf(data)
	if s == nil {
		return
	}
	s.DeviceKey = rand.Text()[:12]
	s.UserAgent = v.r.UserAgent()
	if len(s.UserAgent) > maxAgent {
		s.UserAgent = s.UserAgent[:maxAgent]
	}
	s.UserAgent = strings.ToValidUTF8(s.UserAgent, "")
	s.Network = network(v.logins.cfg.RemoteAddr(v.r))
}

// network returns the network of an address, which identifies no single person.
func network(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 24
	if ip.Is6() {
		bits = 48
	}
	prefix, _ := ip.Prefix(bits)
	return prefix.String()
}

// Devices returns the logins of the subject, the latest used first. [ErrNoLogin]
// without a login.
func (v *Visit[T]) Devices(ctx context.Context) (devices []Device, err error) {
	err = v.eachDevice(ctx, "Devices", func(s *session.Session[T], own *State) bool {
		devices = append(devices, Device{
			Key: own.DeviceKey, UserAgent: own.UserAgent, Network: own.Network,
			FirstSeen: s.CreatedAt, LastSeen: s.LastActivity, Current: v.logins.sessions.Hash(s.ID) == v.logins.sessions.Hash(v.s.ID),
		})
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(devices, func(a, b Device) int { return b.LastSeen.Compare(a.LastSeen) })
	return devices, nil
}

// EndDevice ends the login of the subject that has the key; one that is gone is
// no error. [ErrNoLogin] without a login.
func (v *Visit[T]) EndDevice(ctx context.Context, key string) error {
	var id session.ID
	err := v.eachDevice(ctx, "EndDevice", func(s *session.Session[T], own *State) bool {
		if own.DeviceKey == key && key != "" {
			id = s.ID
		}
		return id.IsZero()
	})
	if err != nil || id.IsZero() {
		return err
	}
	if stateOf(&v.s.Data).DeviceKey == key {
		return v.Logout(ctx)
	}
	return v.logins.sessions.Delete(ctx, id)
}

// eachDevice calls see with the sessions of the subject until it returns false.
func (v *Visit[T]) eachDevice(ctx context.Context, what string, see func(*session.Session[T], *State) bool) error {
	if stateOf(new(T)) == nil {
		return errNoState[T](what)
	}
	subject, err := v.Subject(ctx)
	if err != nil {
		return err
	}
	for s, err := range v.logins.sessions.BySubject(ctx, subject) {
		if _, corrupt := errors.AsType[*session.CorruptError](err); corrupt {
			continue
		}
		if err != nil {
			return err
		}
		if !see(s, stateOf(&s.Data)) {
			return nil
		}
	}
	return nil
}
