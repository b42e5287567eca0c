// SPDX-License-Identifier: MIT

package metrics

import (
	"strings"

	"github.com/holdfast-go/holdfast/internal/configerr"
	"github.com/holdfast-go/holdfast/lock"
)

// Option changes what [New] makes.
type Option func(*config)

type config struct {
	namespace string
	original  bool
	keyed     bool // by WithKeyLabel, which set the rest
	label     string
	key       func(lock.Resource) string
	max       int
}

const (
	defaultNamespace = "holdfast"
	defaultKeyLabel  = "room_id"
	defaultMaxKeys   = 200
)

// WithNamespace sets the prefix of every name, which an underscore follows. The
// default is "holdfast"; "" means no prefix.
func WithNamespace(namespace string) Option {
	return func(c *config) { c.namespace = namespace }
}

// WithKeyLabel also counts conflicts by key, under the given label: the result
// of key for the resource, such as [lock.Resource.Name]. It is off by default,
// because a program can have any number of keys and each key is a series. The
// first max keys get a series each; all others are counted as "_other", and in
// metrics_label_overflow_total. Of a resource with several parts, the part that
// met the conflict counts.
//
// A key is also counted as "_other" when it is empty, longer than 256 bytes or
// not UTF-8, or when key panics.
func WithKeyLabel(label string, key func(lock.Resource) string, max int) Option {
	return func(c *config) { c.keyed, c.label, c.key, c.max = true, label, key, max }
}

// WithOriginalNames adds the series of the service that holdfast was made from,
// under their own names and labels and without a namespace, so that its rules
// and dashboards run unchanged: see the list in the package's documentation.
// They cover all breakers, managers and logs together, and exist beside the
// others. Without WithKeyLabel, conflicts are counted by [lock.Resource.Name]
// for 200 names.
func WithOriginalNames() Option {
	return func(c *config) { c.original = true }
}

// withDefaults returns c with its defaults, or every contradiction in it.
func (c config) withDefaults() (config, error) {
	p := configerr.Collect(problem)
	p.Want(c.namespace == "" || isName(c.namespace, ":"), "WithNamespace", c.namespace, "letters, digits, _ and :, no digit first")
	p.Want(c.namespace != "" || !c.original, "WithNamespace", c.namespace,
		"a name, because WithOriginalNames has a lock_operations_total of its own")
	if c.keyed {
		p.Want(isName(c.label, "") && !strings.HasPrefix(c.label, "__"), "label of WithKeyLabel", c.label, "letters, digits and _, neither a digit nor __ first")
		p.Want(c.key != nil, "key of WithKeyLabel", nil, "a function")
		p.Want(c.max > 0, "max of WithKeyLabel", c.max, "at least 1")
	} else if c.original {
		c.label, c.key, c.max = defaultKeyLabel, lock.Resource.Name, defaultMaxKeys
	}
	return c, p.Err()
}

// isName reports whether s is a name in the oldest, narrowest syntax of
// Prometheus; more lists characters allowed beside letters, digits and
// underscore.
func isName(s, more string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune(more, r)
		if !letter && (i == 0 || r < '0' || '9' < r) {
			return false
		}
	}
	return s != ""
}
