// SPDX-License-Identifier: MIT

// Package migration has programs written twice, with a peer and with holdfast.
// The pages in docs/migration show them side by side.
package migration
