// SPDX-License-Identifier: MIT

package gormsink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// Export writes the events that match c to w, one line of
// [audit.Event.AppendJSON] for each, and returns their number, also with an
// error. It holds one page of 500 events in memory.
//
// Rows that cannot be read are left out and reported in the error, with a
// [*RowError] for each of the first 100. An error of w or of the database ends
// the export.
func (s *Sink) Export(ctx context.Context, w io.Writer, c Criteria) (n int64, err error) {
	out := bufio.NewWriter(w)
	var unreadable []error
	var line []byte
	bad := 0
	for e, err := range s.Query(ctx, c) {
		if row, ok := errors.AsType[*RowError](err); ok {
			if bad++; bad <= 100 {
				unreadable = append(unreadable, row)
			}
			continue
		}
		if err != nil {
			return n, errors.Join(append(unreadable, err, out.Flush())...)
		}
		line = append(e.AppendJSON(line[:0]), '\n')
		if _, err := out.Write(line); err != nil {
			return n, fmt.Errorf("gormsink: export: %w", err)
		}
		n++
	}
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("gormsink: export: %w", err)
	}
	if bad > len(unreadable) {
		unreadable = append(unreadable, fmt.Errorf("gormsink: export: %d more rows cannot be read", bad-len(unreadable)))
	}
	return n, errors.Join(unreadable...)
}
