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
	"strings"

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
	format := flags.String("format", "prometheus", "`prometheus` for plain files, operator for PrometheusRules and ConfigMaps")
	by := flags.String("by", "cluster,namespace,job", "`labels` that name a service, the widest first")
	flags.StringVar(&o.Selector, "selector", "", "`matchers` for every rule and panel, such as env=\"prod\"")
	flags.StringVar(&o.Namespace, "namespace", "holdfast", "`name` given to metrics.WithNamespace")
	flags.DurationVar(&o.ScrapeInterval, "scrape-interval", 0, "`time` of which windows hold four at least")
	flags.Func("label", "`name=value` for every alert; can be repeated", pair(&o.Labels))
	flags.StringVar(&o.Runbooks, "runbooks", "", "`URL` of the folder of runbooks")
	flags.StringVar(&o.Grafana, "grafana", "", "`URL` of Grafana, for links to panels")
	example := flags.Bool("example", true, "with what belongs to the example program")
	flags.StringVar(&o.ObjectNamespace, "object-namespace", "", "`namespace` of the objects of -format operator")
	flags.Func("object-label", "`name=value` for the objects of -format operator; can be repeated", pair(&o.ObjectLabels))
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	o.By = strings.Split(*by, ",")
	o.NoNamespace = o.Namespace == ""
	o.NoExample = !*example
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

// pair reads name=value into a map.
func pair(m *map[string]string) func(string) error {
	return func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return errors.New("want name=value")
		}
		if *m == nil {
			*m = make(map[string]string)
		}
		(*m)[name] = value
		return nil
	}
}
