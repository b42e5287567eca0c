// SPDX-License-Identifier: MIT

// Package talk turns what a guest writes into a [Request], and what the bot
// means into a sentence, in English and Spanish. It works by rules and word
// lists, without a network.
package talk
