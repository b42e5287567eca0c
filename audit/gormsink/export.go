// SPDX-License-Identifier: MIT

package gormsink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// Export writes the events that the filter wants to w, one line of
// [audit.Event.AppendJSON] for each, and returns how many, also when it fails
// half way. It holds a page of the trail in memory at a time.
//
// Rows that cannot be read are left out and told of in the error, which holds
// a [*RowError] for each, the first 100 at most; the rows after them follow. An
// error of w or of the database ends the export.
func (s *Sink) Export(ctx context.Context, w io.Writer, f Filter) (n int64, err error) {
	out := bufio.NewWriter(w)
	var unreadable []error
	var line []byte
	bad := 0
	for e, err := range s.Query(ctx, f) {
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
