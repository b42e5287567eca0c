// SPDX-License-Identifier: MIT

// Command export writes holdfast's alerts, dashboards and runbooks into a
// folder.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/metrics/monitoring"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 2 when the flags make no sense, 1 when writing
// failed.
func run(args []string, out, errs io.Writer) int {
	var o monitoring.Options
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("out", "", "`folder` to write into")
	format := flags.String("format", "prometheus", "of the rules: `prometheus` for files, operator for PrometheusRule objects")
	flags.StringVar(&o.Namespace, "namespace", "", "`name` given to metrics.WithNamespace; default: holdfast")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	o.Operator = *format == "operator"
	switch {
	case *dir == "":
		fmt.Fprintln(errs, "export: -out says where to write, and is needed")
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(errs, "export: unexpected argument %q\n", flags.Arg(0))
		return 2
	case !o.Operator && *format != "prometheus":
		fmt.Fprintf(errs, "export: -format %s: there are prometheus and operator\n", *format)
		return 2
	}
	paths, err := monitoring.Export(*dir, o)
	if err != nil {
		fmt.Fprintln(errs, "export:", err)
		return 1
	}
	fmt.Fprintf(out, "%d files in %s\n", len(paths), *dir)
	return 0
}
