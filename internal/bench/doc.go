// SPDX-License-Identifier: MIT

// Package bench compares holdfast with its peers and with floors, in one
// process and in interleaved rounds: every round measures every [Case] once, in
// an order of its own, so that a machine that slows down slows all of them.
//
//	suite -- Measure --> Result -- Table ----> a terminal, docs/benchmarks.md
//	                            -- Missed ---> exit 1
//
// A [Bar] is a bound on the ratio of two cases: the ratio of the medians of
// their rounds. Its confidence interval comes from resampling whole rounds
// (bootstrap), with a fixed seed: the same samples give the same interval. A bar
// is met when the interval's end that is worse for holdfast meets it.
//
// A [Figure] is any other number, such as bytes or commands per turn, taken once
// or a few times after the rounds. Its bar is held against the worst run.
//
// To add comparisons for a package, write a function that returns a [Suite] in
// a folder of its own, such as breakerbench, and name it in bars/main.go. The
// [testing.TB] that it gets starts servers, as in a test, and [Run] stops them
// when the suite was measured. Then .ci/bars measures it, and with -write its
// section appears in docs/benchmarks.md.
package bench
