// SPDX-License-Identifier: MIT

package redissession

import (
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

func TestCheckWarnsOfEvictionAndOfMissingPersistence(t *testing.T) {
	t.Parallel()
	s := New(redistest.Real(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").Client(t))
	got, err := s.Check(t.Context())
	if text := strings.Join(got, "\n"); err != nil || len(got) != 2 || !strings.Contains(text, "evicts sessions") || !strings.Contains(text, "appendonly") {
		t.Errorf("%q, %v, want a warning of eviction and one of persistence", got, err)
	}
}
