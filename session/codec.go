// SPDX-License-Identifier: MIT

package session

import (
	"encoding/json"
)

// Codec turns a session's data into bytes and back. It is called concurrently.
// A panic counts as failing. What Encode gives, later versions of the program
// must be able to Decode: a payload that Decode refuses is removed as
// [InvalidFormat].
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

// decode calls the codec and reports whether it understood.
func decode[T any](c Codec, data []byte) (v T, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	err := c.Decode(data, &v)
	return v, err == nil
}
