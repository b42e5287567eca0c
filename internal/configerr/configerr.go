// SPDX-License-Identifier: MIT

// Package configerr words what is wrong with a configuration, in one way for
// all packages.
package configerr

import "fmt"

// most bounds what a value takes of the text: a value that is wrong may be
// wrong by being endless.
const most = 64

// Text says that a field, such as "Config.TTL", has a value and should have
// another. want completes "want …". A text is quoted, since it may hold
// anything.
func Text(pkg, field string, value any, want string) string {
	text := "nil"
	if s, ok := value.(string); ok {
		shown, rest := cut(s)
		text = fmt.Sprintf("%q%s", shown, rest)
	} else if value != nil {
		shown, rest := cut(fmt.Sprintf("%+v", value))
		text = shown + rest
	}
	return fmt.Sprintf("%s: %s is %s, want %s", pkg, field, text, want)
}

// cut returns what is shown of a text, and what stands for the rest.
func cut(text string) (shown, rest string) {
	if len(text) > most {
		return text[:most], "…"
	}
	return text, ""
}
