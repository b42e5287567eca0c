// SPDX-License-Identifier: MIT

package rediscall

import "strconv"

// Tries is an argument of [Caller.Run] that counts how often the client has sent
// it, which it does again when a reply was lost. From 2 on, the script may have run
// before. It is Text, or the count itself where Text is empty.
//
// It is for one Run, after whose answer Sent may be read. It relies on the client
// to encode the arguments each time that it sends them, and at no other time.
type Tries struct {
	Text string
	Sent int
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (n *Tries) MarshalBinary() ([]byte, error) {
	n.Sent++
	return []byte(n.String()), nil
}

// String is what the script gets.
func (n *Tries) String() string {
	if n.Text != "" {
		return n.Text
	}
	return strconv.Itoa(n.Sent)
}

// refused takes back the one try that a server without the script has
// answered. Of several, an earlier one may have met a server that had it.
func (n *Tries) refused() {
	if n.Sent == 1 {
		n.Sent = 0
	}
}
