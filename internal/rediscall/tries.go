// SPDX-License-Identifier: MIT

package rediscall

import "strconv"

// Tries is an argument of [Caller.Run]: how often the client has sent it, which
// it does again when a reply was lost. From 2 on, the script may have run before.
// The zero value is for one Run.
//
// It relies on the client, which encodes the arguments anew each time.
type Tries int

// MarshalBinary implements [encoding.BinaryMarshaler].
func (n *Tries) MarshalBinary() ([]byte, error) {
	*n++
	return strconv.AppendInt(nil, int64(*n), 10), nil
}

// refused takes back the one try that a server without the script has
// answered. Of several, an earlier one may have met a server that had it.
func (n *Tries) refused() {
	if *n == 1 {
		*n = 0
	}
}
