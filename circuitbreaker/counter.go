// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// counter is a total that starts as one word. The first time that two cores
// collide on it, it grows a few words per core, each on lines of its own: from
// then on cores do not wait for each other. It never shrinks, and its sum never
// falls.
type counter struct {
	word    atomic.Uint64
	stripes atomic.Pointer[[]stripe]
}

// stripe is one word on 128 bytes: two cache lines, which CPUs fetch as a pair;
// one line on arm64.
type stripe struct {
	word atomic.Uint64
	_    [120]byte
}

const maxStripes = 64

func (c *counter) add() {
	stripes := c.stripes.Load()
	if stripes == nil {
		if n := c.word.Load(); c.word.CompareAndSwap(n, n+1) {
			return
		}
		c.spread()
		stripes = c.stripes.Load()
	}
	(*stripes)[pick(len(*stripes))].word.Add(1)
}

// spread makes the stripes, unless another goroutine has.
func (c *counter) spread() {
	stripes := make([]stripe, stripeCount())
	c.stripes.CompareAndSwap(nil, &stripes)
}

func (c *counter) sum() uint64 {
	n := c.word.Load()
	if stripes := c.stripes.Load(); stripes != nil {
		for i := range *stripes {
			n += (*stripes)[i].word.Load()
		}
	}
	return n
}

// stripeCount returns how many stripes serve the cores in use: a power of two.
// With four a core, two goroutines that run at the same time seldom share one.
func stripeCount() int {
	n := 1
	for n < min(4*runtime.GOMAXPROCS(0), maxStripes) {
		n *= 2
	}
	return n
}

// pick chooses one of n stripes, a power of two. Goroutines that run at the
// same time have different stacks, so where this frame lies is a good hint, and
// a goroutine keeps to its stripe. A bad hint costs time, never correctness.
func pick(n int) int {
	var here byte
	stack := uint32(uintptr(unsafe.Pointer(&here)) >> 11) // stacks are 2 KiB and more apart
	return int(stack*0x9E3779B1>>16) & (n - 1)
}
