// SPDX-License-Identifier: MIT

package metrics

import (
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/lock"
)

// otherKey is the label value of keys beyond the limit, and of invalid ones.
const otherKey = "_other"

// keys counts by key, with a bounded number of keys: the first max keys stay for
// good, because a series that ends and comes back looks like a counter that was
// reset.
type keys struct {
	of  func(lock.Resource) string
	max int

	mu     sync.RWMutex
	counts map[string]*atomic.Uint64
	other  atomic.Uint64 // the overflow
}

func newKeys(of func(lock.Resource) string, max int) *keys {
	return &keys{of: of, max: max, counts: make(map[string]*atomic.Uint64)}
}

func (k *keys) count(r lock.Resource) {
	key := k.key(r)
	if key == otherKey {
		k.other.Add(1)
		return
	}
	k.mu.RLock()
	n, full := k.counts[key], len(k.counts) >= k.max
	k.mu.RUnlock()
	if n == nil && !full {
		n = k.admit(key)
	}
	if n == nil {
		n = &k.other
	}
	n.Add(1)
}

// admit returns the count of a key that may be new, or nil if there is no
// room for it any more.
func (k *keys) admit(key string) *atomic.Uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.counts[key] == nil && len(k.counts) < k.max {
		k.counts[key] = new(atomic.Uint64)
	}
	return k.counts[key]
}

// maxKey is the length of a key, in bytes, up to which it can be a label. With
// it, all labels together are bounded too.
const maxKey = 256

// key calls the caller's function; a panic or an invalid result is otherKey.
func (k *keys) key(r lock.Resource) (key string) {
	defer func() {
		if recover() != nil || key == "" || len(key) > maxKey || !utf8.ValidString(key) {
			key = otherKey
		}
	}()
	return k.of(r)
}

// snapshot returns the counts by key, other included.
func (k *keys) snapshot() map[string]uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := map[string]uint64{otherKey: k.other.Load()}
	for key, n := range k.counts {
		all[key] = n.Load()
	}
	return all
}
