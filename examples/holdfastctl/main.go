// SPDX-License-Identifier: MIT

// Holdfastctl is a tool for operators: it lists and ends the holds and sessions of
// a service in Redis, reads its audit trail, and trips and resets its breakers. Run it without
// arguments for the list of commands.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// command is one verb, with what its arguments are and what it does.
type command struct {
	name, args, about string
	run               func(ctx context.Context, t *tool, args []string) error
}

var commands = []command{
	{"holds", "[NAME]", "list the live holds of a lock space, or those of one name", holds},
	{"release", "ID...", "force-release holds; needs -reason", release},
	{"sessions", "", "list the live sessions, without their data", sessions},
	{"end", "ID...", "end sessions", end},
	{"repartition", "", "move the sessions to -partitions, while no process uses them", repartition},
	{"export", "", "write the audit trail as JSON lines", export},
	{"gaps", "", "list what is missing in the audit trail", gaps},
	{"verify", "", "compare the audit trail with its seals; needs -root", verify},
	{"breakers", "", "list the breakers of a service", breakers},
	{"trip", "BREAKER", "open a breaker, for its open time or -for", trip},
	{"reset", "BREAKER", "close a breaker", reset},
}

// tool is what the flags and the environment say.
type tool struct {
	in        *bufio.Reader
	out, errs io.Writer
	getenv    func(string) string
	closing   []func()

	json, yes             bool
	redis, audit, url     string
	prefix                string
	space, holder, reason string
	sessions              string
	partitions            int
	byName                bool
	duration, from, to    string
	root, anchor          string
}

var errUsage = errors.New("usage")

// run returns the exit code: 2 when the arguments make no sense, 1 when the
// command failed or was refused.
func run(ctx context.Context, args []string, getenv func(string) string, in io.Reader, out, errs io.Writer) int {
	t := &tool{in: bufio.NewReader(in), out: out, errs: errs, getenv: getenv}
	defer func() {
		for _, end := range t.closing {
			end()
		}
	}()
	flags := flag.NewFlagSet("holdfastctl", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { usage(errs, flags) }
	flags.BoolVar(&t.json, "json", false, "print JSON, one object a line")
	flags.BoolVar(&t.yes, "yes", false, "do not ask before a change")
	flags.StringVar(&t.redis, "redis", cmp.Or(getenv("REDIS_URL"), "redis://127.0.0.1:6379"), "`URL` of Redis")
	flags.StringVar(&t.audit, "audit", getenv("AUDIT_DSN"), "`DSN` of the audit trail: postgres://... or sqlite:FILE")
	flags.StringVar(&t.url, "breakers", cmp.Or(getenv("BREAKERS_URL"), "http://127.0.0.1:8080/breakers"), "`URL` of the service's breakerhttp.Handler")
	flags.StringVar(&t.prefix, "prefix", "holdfast", "redislock.WithPrefix and redissession.WithPrefix")
	flags.StringVar(&t.space, "space", "rooms", "`name` in lock.Config.Name")
	flags.StringVar(&t.sessions, "sessions", "users", "`name` in session.Config.Name")
	flags.IntVar(&t.partitions, "partitions", 16, "redissession.WithPartitions")
	flags.BoolVar(&t.byName, "group-by-name", false, "lock.Config.GroupBy returns the name itself")
	flags.StringVar(&t.holder, "holder", whoami(), "who does it, for the audit trail")
	flags.StringVar(&t.reason, "reason", "", "why, for the audit trail and the breaker's callers")
	flags.StringVar(&t.duration, "for", "", "how long a tripped breaker stays open, such as 10m")
	flags.StringVar(&t.from, "from", "", "first `time` of an export, as 2006-01-02 or RFC 3339")
	flags.StringVar(&t.to, "to", "", "`time` at which an export ends, not included")
	flags.StringVar(&t.root, "root", getenv("AUDIT_ROOT"), "public root `key` of the sealed trail")
	flags.StringVar(&t.anchor, "anchor", "", "`file` of JSON lines with the anchored checkpoints, for verify")
	var words []string // the command and its arguments; flags may stand anywhere
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return 0
		} else if err != nil {
			return 2
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		words, args = append(words, args[0]), args[1:]
	}
	for _, c := range commands {
		if len(words) > 0 && c.name == words[0] {
			return t.report(c.run(ctx, t, words[1:]))
		}
	}
	if len(words) > 0 {
		fmt.Fprintf(errs, "holdfastctl: there is no command %q\n", words[0])
	}
	usage(errs, flags)
	return 2
}

func usage(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprintln(w, "usage: holdfastctl [flags] command [arguments]\n\ncommands:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range commands {
		fmt.Fprintf(table, "  %s %s\t%s\n", c.name, c.args, c.about)
	}
	table.Flush()
	fmt.Fprintln(w, "\nflags:")
	flags.PrintDefaults()
}

func (t *tool) report(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(t.errs, "holdfastctl:", strings.TrimPrefix(err.Error(), errUsage.Error()+": "))
		return 2
	}
	fmt.Fprintln(t.errs, "holdfastctl:", err)
	return 1
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "holdfastctl"
}

// confirm asks before a change, unless -yes was given.
func (t *tool) confirm(format string, args ...any) error {
	if t.yes {
		return nil
	}
	fmt.Fprint(t.errs, strings.Map(visible, fmt.Sprintf(format+" [y/N] ", args...)))
	answer, _ := t.in.ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// print writes rows as a table, or as an object each.
func print[R any](t *tool, header string, rows []R, cells func(R) []any) error {
	if t.json {
		e := json.NewEncoder(t.out)
		for _, r := range rows {
			if err := e.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.ReplaceAll(header, " ", "\t"))
	for _, r := range rows {
		for i, c := range cells(r) {
			if i > 0 {
				fmt.Fprint(table, "\t")
			}
			fmt.Fprint(table, cmp.Or(strings.Map(visible, fmt.Sprint(c)), "-"))
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// visible keeps what others have written from steering the terminal.
func visible(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return '?'
	}
	return r
}
