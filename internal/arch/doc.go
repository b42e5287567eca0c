// SPDX-License-Identifier: MIT

// Package arch holds tests of the tree itself: who may import whom, what a
// program that imports one package takes along, and the rules that every file
// keeps.
//
//	metrics ----> circuitbreaker  lock  session  audit     each backend holds
//	   |               |           |  \-----/------^       one heavy import,
//	   v               v           v      v                the cores none
//	client_golang      +---- internal, standard library ----+
package arch
