// SPDX-License-Identifier: MIT

package memlock

// Groups is how many groups the store remembers.
func (s *Store) Groups() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.groups)
}
