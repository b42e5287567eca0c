// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// lines reads a script line by line, for as long as a context lasts. A read of
// a terminal cannot be interrupted, so it has a goroutine of its own: there it
// keeps nobody from stopping the program, whose end takes it along.
type lines struct {
	scanner *bufio.Scanner
	texts   chan string
}

func linesOf(ctx context.Context, in io.Reader) *lines {
	l := &lines{bufio.NewScanner(in), make(chan string)}
	go func() {
		defer close(l.texts)
		for l.scanner.Scan() {
			select {
			case l.texts <- l.scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return l
}

// next returns io.EOF after the last line.
func (l *lines) next(ctx context.Context) (string, error) {
	select {
	case text, more := <-l.texts:
		if more {
			return text, nil
		}
	case <-ctx.Done():
	}
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(l.scanner.Err(), bufio.ErrTooLong):
		return "", fmt.Errorf("longer than %d bytes", bufio.MaxScanTokenSize)
	case l.scanner.Err() != nil:
		return "", l.scanner.Err()
	}
	return "", io.EOF
}
