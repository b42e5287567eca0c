// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

const (
	lineWords  = 16 // 128 bytes: two cache lines, which CPUs fetch as a pair; one line on arm64
	maxStripes = 64
)

// counter is a total that starts as one word. The first time that two cores
// collide on it, it grows a few words per core, each on lines of its own: from
// then on cores do not wait for each other. It never shrinks, and its sum never
// falls.
type counter struct {
	word    atomic.Uint64
	stripes atomic.Pointer[[]stripe]
}

type stripe struct {
	word atomic.Uint64
	_    [8 * (lineWords - 1)]byte
}

func (c *counter) add() {
	if !c.tryAdd() {
		c.addWide()
	}
}

// tryAdd adds one unless cores collide, now or before. It is small enough to be
// inlined.
func (c *counter) tryAdd() bool {
	n := c.word.Load()
	return c.stripes.Load() == nil && c.word.CompareAndSwap(n, n+1)
}

func (c *counter) addWide() {
	if c.stripes.Load() == nil {
		c.spread()
	}
	s := *c.stripes.Load()
	s[pick(len(s))].word.Add(1)
}

// spread makes the stripes, unless another goroutine has.
func (c *counter) spread() {
	s := make([]stripe, stripes())
	c.stripes.CompareAndSwap(nil, &s)
}

func (c *counter) sum() uint64 {
	n := c.word.Load()
	if s := c.stripes.Load(); s != nil {
		for i := range *s {
			n += (*s)[i].word.Load()
		}
	}
	return n
}

// stripes returns how many stripes serve the cores in use: a power of two. With
// four a core, two goroutines that run at the same time seldom share one.
func stripes() int {
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
