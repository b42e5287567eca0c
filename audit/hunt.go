// SPDX-License-Identifier: MIT

package audit

import "math/bits"

// hunt finds the events that make a sink refuse a batch. It walks the binary
// tree over the batch from the left: after done entries the next part is the
// largest block that may begin there, the lowest set bit of done. So p bad
// events among n cost at most 2·p·log2(n) tries.
type hunt struct {
	left, done int // of the refused batch, unsettled and settled entries; left 0: no hunt
	limit      int // of the next part
}

func (h *hunt) part(n int) int {
	if h.left == 0 {
		return n
	}
	return min(n, h.left, h.limit)
}

func (h *hunt) refused(n int) {
	if h.left == 0 {
		h.left, h.done = n, 0
	}
	h.limit = 1 << (bits.Len(uint(n-1)) - 1) // the left child: the largest power of two below n
}

func (h *hunt) settled(n int) {
	h.left = max(0, h.left-n)
	h.done += n
	h.limit = h.done & -h.done
}
