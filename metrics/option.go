// SPDX-License-Identifier: MIT

package metrics

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/lock"
)

// Option changes what [New] makes.
type Option func(*config)

type config struct {
	namespace string
	original  bool
	label     string // of WithKeyLabel
	key       func(lock.Resource) string
	max       int
	err       error
}

const (
	defaultNamespace = "holdfast"
	defaultKeyLabel  = "room_id"
	defaultMaxKeys   = 200
)

// WithNamespace sets what every name begins with, followed by an underscore.
// The default is "holdfast"; "" means nothing.
func WithNamespace(namespace string) Option {
	return func(c *config) {
		c.namespace = namespace
		if namespace != "" && !isName(namespace, ":") {
			c.fail("WithNamespace(%.64q), want letters, digits, _ and :, no digit first", namespace)
		}
	}
}

// WithKeyLabel also counts conflicts by key, under the given label: what key
// returns for the resource, such as [lock.Resource.Name]. It is off by
// default, because the keys of a program can be endless and a series is kept
// for each. The first max of them get their own; all others are counted as
// "_other", and in metrics_label_overflow_total. Of a resource with several
// parts, the part that met the conflict counts.
//
// A key is "_other" too when it is empty, longer than 256 bytes, or no UTF-8,
// or when key panics.
func WithKeyLabel(label string, key func(lock.Resource) string, max int) Option {
	return func(c *config) {
		c.label, c.key, c.max = label, key, max
		if !isName(label, "") || strings.HasPrefix(label, "__") {
			c.fail("WithKeyLabel(%.64q), want letters, digits and _, neither a digit nor __ first", label)
		}
		if key == nil {
			c.fail("WithKeyLabel(%.64q) with a nil function", label)
		}
		if max < 1 {
			c.fail("WithKeyLabel(%.64q) with room for %d keys, want at least 1", label, max)
		}
	}
}

// WithOriginalNames adds the series of the service that holdfast grew from,
// under their own names and labels and without a namespace, so that rules and
// dashboards made for it run unchanged: see the list in the package's
// documentation. They cover all breakers, managers and logs together, and
// stay beside the others. Unless WithKeyLabel says otherwise, conflicts are
// counted by [lock.Resource.Name] for 200 names.
func WithOriginalNames() Option {
	return func(c *config) { c.original = true }
}

func (c *config) fail(format string, args ...any) {
	c.err = errors.Join(c.err, fmt.Errorf("metrics: "+format, args...))
}

func newConfig(opts []Option) (config, error) {
	c := config{namespace: defaultNamespace}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	if c.original && c.namespace == "" {
		c.fail("WithOriginalNames needs a namespace for the other names: lock_operations_total is one of both")
	}
	if c.original && c.key == nil {
		c.label, c.key, c.max = defaultKeyLabel, lock.Resource.Name, defaultMaxKeys
	}
	return c, c.err
}

// isName tells whether Prometheus takes s as a name in its oldest, narrowest
// sense; more lists characters allowed beside letters, digits and underscore.
func isName(s, more string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune(more, r)
		if !letter && (i == 0 || r < '0' || '9' < r) {
			return false
		}
	}
	return s != ""
}
