// SPDX-License-Identifier: MIT

// Reservationbot is a hotel's chat agent that books rooms through all of
// holdfast's packages. Without flags it serves a web page and brings its own
// Redis, database and PMS; see -help for the rest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 when the flags make no sense, 1 when something
// failed, or a storm double-booked or lost an event.
func run(ctx context.Context, args []string, getenv func(string) string, in io.Reader, out, errs io.Writer) int {
	o, err := parseOptions(args, getenv, out)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(errs, "reservationbot:", err)
		return 2
	}
	o.progress = errs
	b, err := open(ctx, o)
	if err == nil {
		err = errors.Join(b.work(ctx, in, out, errs), b.close())
	}
	if err != nil {
		fmt.Fprintln(errs, "reservationbot:", err)
		return 1
	}
	return 0
}
