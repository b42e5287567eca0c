// SPDX-License-Identifier: MIT

package locktest

// Rules are the names of all cases.
func Rules() (names []string) {
	for _, r := range rules(true) {
		names = append(names, r.name)
	}
	return names
}
