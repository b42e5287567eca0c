// SPDX-License-Identifier: MIT

package metrics

import (
	"slices"
	"strings"
)

// Type is the Prometheus type of a series.
type Type string

const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Series describes one metric. Rules, dashboards and documents can rely on it.
type Series struct {
	Name    string // as scraped, in the default namespace
	Type    Type
	Unit    string // "seconds", "bytes", or "" for a plain number
	Help    string
	Labels  []Label
	Buckets []float64 // upper bounds of a histogram, in Unit, without +Inf
	Needs   string    // what turns it on, such as "WithKeyLabel"; "" for always on
}

// Label is one label of a series.
type Label struct {
	Name   string
	Values []string // every value it can have; nil when the program chooses them
}

// Catalog returns every series that a [*Metrics] can expose, with the default
// namespace and key label. The caller may change the result.
//
// Combinations of closed values exist from the start, at 0. Combinations that
// cannot happen, such as a release with the result conflict, do not exist.
func Catalog() []Series {
	all := make([]Series, len(catalog))
	for i, s := range catalog {
		s.Name = s.fullName(defaultNamespace)
		s.Buckets = slices.Clone(s.Buckets)
		s.Labels = slices.Clone(s.Labels)
		for j := range s.Labels {
			s.Labels[j].Values = slices.Clone(s.Labels[j].Values)
		}
		all[i] = s
	}
	return all
}

// fullName puts the namespace before the name. The original's names have none.
func (s Series) fullName(namespace string) string {
	if namespace == "" || s.Needs == needsOriginal {
		return s.Name
	}
	return namespace + "_" + s.Name
}

// Values of Series.Needs.
const (
	needsKey      = "WithKeyLabel"
	needsOriginal = "WithOriginalNames"
	needsDB       = "DB"
	needsRedis    = "Redis"
)

func newSeries(typ Type, name, help string, labels []Label) Series {
	unit := ""
	switch stem := strings.TrimSuffix(name, "_total"); {
	case strings.HasSuffix(stem, "_seconds"):
		unit = "seconds"
	case strings.HasSuffix(stem, "_bytes"):
		unit = "bytes"
	}
	return Series{Name: name, Type: typ, Unit: unit, Help: help, Labels: labels}
}

func counter(name, help string, labels ...Label) Series {
	return newSeries(Counter, name, help, labels)
}

func gauge(name, help string, labels ...Label) Series {
	return newSeries(Gauge, name, help, labels)
}

func histogram(buckets []float64, name, help string, labels ...Label) Series {
	s := newSeries(Histogram, name, help, labels)
	s.Buckets = buckets
	return s
}

func (s Series) needs(what string) Series {
	s.Needs = what
	return s
}

// open is a label whose values the program chooses, closed one whose values are
// listed.
func open(name string) Label                     { return Label{Name: name} }
func closed(name string, values ...string) Label { return Label{Name: name, Values: values} }
