// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"math"
	"slices"
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
	buckets   map[string][]float64
	traceID   func(context.Context) string
	observed  observed
	members   int
	name      func(string) string
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

// WithGroupMembers gives each breaker of a circuitbreaker.Group series of its own,
// under its name, for as long as the group keeps it and there are at most max of
// them in all groups. By default, and beyond max, a group is one set of series under
// its name: its members by state, and their totals.
func WithGroupMembers(max int) Option {
	return func(c *config) { c.members = max }
}

// WithName changes the label of a breaker, manager, log or pool: to what the
// function returns for its name, or for its group's; "" leaves it out. It must
// return the same for the same name, and is called for each event.
func WithName(name func(string) string) Option {
	return func(c *config) { c.name = name }
}

// WithBuckets sets the upper bounds of a histogram, in its unit and without +Inf,
// in place of those in [Catalog], which also has the names, such as
// "holdfast_lock_wait_duration_seconds", whatever the namespace. Servers that
// scrape native histograms get those, whose bounds need no choice.
//
// The shipped latency objectives count requests of the reservation bot and use
// none of these histograms.
func WithBuckets(name string, bounds ...float64) Option {
	return func(c *config) {
		if c.buckets == nil {
			c.buckets = make(map[string][]float64)
		}
		c.buckets[name] = slices.Clone(bounds)
	}
}

// WithTraceID adds exemplars to histograms: the trace id of the call that an
// event is about, under the label trace_id. The function gets the context of the
// call and returns "" for none; an id longer than 64 bytes is ignored. It is
// called for each observed duration and must be fast.
//
// Exemplars are exposed in the OpenMetrics format only: see
// promhttp.HandlerOpts.EnableOpenMetrics.
func WithTraceID(traceID func(context.Context) string) Option {
	return func(c *config) { c.traceID = traceID }
}

type observed = func(ctx context.Context, name string, value float64, labels ...string)

// WithObserved also calls a function for each value that a histogram observes: with
// the context of the call that it is about, the name of the histogram in [Catalog]
// whatever the namespace, and the values of its labels, in the order there. It is
// how metrics/otel exports histograms. It must be fast.
func WithObserved(observed func(ctx context.Context, name string, value float64, labels ...string)) Option {
	return func(c *config) { c.observed = observed }
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
	p.Want(c.members >= 0, "WithGroupMembers", c.members, "0 or more")
	for name, bounds := range c.buckets {
		isHistogram := func(s Series) bool { return s.Type == Histogram && s.fullName(defaultNamespace) == name }
		p.Want(slices.ContainsFunc(catalog[:], isHistogram), "name of WithBuckets", name, "the name of a histogram in Catalog")
		rising := len(bounds) > 0 && slices.IsSorted(bounds) && len(slices.Compact(slices.Clone(bounds))) == len(bounds)
		p.Want(rising && !slices.ContainsFunc(bounds, func(b float64) bool { return math.IsNaN(b) || math.IsInf(b, 0) }),
			"WithBuckets of "+name, bounds, "finite bounds that rise")
	}
	return c, p.Err()
}

// labelOf returns the label for a name: text, whatever the name is.
func (c config) labelOf(name string) (label string, wanted bool) {
	if c.name != nil {
		if name = c.name(name); name == "" {
			return "", false
		}
	}
	return strings.ToValidUTF8(name, "\uFFFD"), true
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
