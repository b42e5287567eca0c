// SPDX-License-Identifier: MIT

// Package auditfaults races those who hand something over against the end of
// what takes it, for holdfast's audit log and for other queues of Go, and
// counts what gets lost unseen.
//
//	go test ./auditfaults -v        prints the table
//	go test ./auditfaults -write    writes it into docs/features/audit.md
package auditfaults
