// SPDX-License-Identifier: MIT

package metrics

import (
	"errors"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// ErrInvalid is in the chain of every [*ConfigError], and of the errors for a nil
// database, a nil Redis client, a nil [*Metrics] and a registerer that is a nil
// pointer.
var ErrInvalid = errors.New("metrics: invalid")

// ConfigError is one contradiction in the options of [New], which joins all of
// them into one error.
type ConfigError struct {
	Field string // the option, such as "WithNamespace"
	Value any
	Why   string // what is wanted instead
}

func problem(field string, value any, want string) error {
	return &ConfigError{Field: field, Value: value, Why: want}
}

// Error names the option, its value and what is wanted instead.
func (e *ConfigError) Error() string {
	return configerr.Text("metrics", e.Field, e.Value, e.Why)
}

// Unwrap returns [ErrInvalid].
func (e *ConfigError) Unwrap() error { return ErrInvalid }
