// SPDX-License-Identifier: MIT

package session

import (
	"encoding/json"
)

// Codec turns a session's data into bytes and back. It is called concurrently,
// and owns the bytes that Decode receives. A panic counts as failing. Each write
// decodes what it has encoded, and is refused with [ErrInvalid] when that fails.
// A record that Decode refuses stays in the store: see [ReasonUndecodable].
//
// A codec that encrypts protects the data and nothing else: the subject and the
// conversation stand beside it in clear, and the bytes can be moved to another
// session. [Sealed] encrypts and binds the whole record.
type Codec interface {
	Encode(v any) ([]byte, error)
	Decode(data []byte, v any) error // v is a non-nil *T
}

// JSON is the default [Codec]: encoding/json.
type JSON struct{}

// Encode implements [Codec].
func (JSON) Encode(v any) ([]byte, error) { return json.Marshal(v) }

// Decode implements [Codec].
func (JSON) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// encode calls the codec. Only the type of its error is reported, because its text
// may quote the data.
func encode[T any](c Codec, v *T) (data []byte, err error) {
	defer func() {
		if recover() != nil {
			data, err = nil, invalid("the codec panicked while encoding a %T", *v)
		}
	}()
	data, err = c.Encode(v)
	if err != nil {
		return nil, invalid("the codec cannot encode this %T (%T)", *v, err)
	}
	return data, nil
}

// decode calls the codec or Config.Upgrade, and reports whether it understood.
func decode[T any](read func() (T, error)) (v T, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	v, err := read()
	return v, err == nil
}
