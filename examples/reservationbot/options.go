// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are what the command line and the environment say.
type options struct {
	script  string // file, "-" = standard input
	storm   int    // guests
	rooms   int
	noLocks bool
	redis   []string // addresses; none = embedded
	audit   string   // DSN; "" = SQLite in a temporary folder
	spool   string   // folder; "" = none
	seal    string   // file with the root key; "" = a key for this run, if the database is, too
	pms     string   // URL; "" = simulated
	addr    string   // of the web page
	hosts   []string // names of the web page
	open    bool     // the page in a browser
	seed    uint64

	cleanupEvery time.Duration // 0 = the library's default
	settleAfter  time.Duration // how long an order may stay without an answer

	progress io.Writer // of the start; nil = none is printed
}

const usage = `usage: reservationbot [flags]

Without -script and -storm it serves a web page, on which you can talk to the bot.
SESSION_CLEANUP_INTERVAL=SECONDS in the environment is the time between two
cleanups of its sessions; default: 600.

`

// parseOptions returns flag.ErrHelp when help was asked for and given.
func parseOptions(args []string, getenv func(string) string, out io.Writer) (options, error) {
	o := options{settleAfter: 15 * time.Second}
	flags := flag.NewFlagSet("reservationbot", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	list := func(to *[]string) func(string) error {
		return func(text string) error {
			*to = strings.Split(text, ",")
			return nil
		}
	}
	flags.StringVar(&o.script, "script", "", "play the conversation in `FILE` (- = standard input) and exit")
	flags.IntVar(&o.storm, "storm", 0, "let `N` guests book at once, print what happened as JSON and exit")
	flags.IntVar(&o.rooms, "rooms", 20, "`number` of rooms of the simulated hotel")
	flags.BoolVar(&o.noLocks, "no-locks", false, "with -storm: the control without locks, which double-books")
	flags.Func("redis", "`ADDR[,ADDR...]` of Redis, or of the nodes of a cluster; default: embedded", list(&o.redis))
	flags.StringVar(&o.audit, "audit", "", "database of the audit trail, `DSN` postgres://... or sqlite:FILE; default: SQLite in a temporary folder")
	flags.StringVar(&o.spool, "spool", "", "`FOLDER` of this bot alone, which has audit events until the database has them, also when the bot is killed; default: none")
	flags.StringVar(&o.seal, "seal", "", "`FILE` with the root key for seals of the audit trail, made when it is not there; default: none, or a new key when the database is in a temporary folder")
	flags.StringVar(&o.pms, "pms", "", "`URL` of a PMS that speaks like the simulated one, and is that of all bots on one Redis; default: simulated")
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`HOST:PORT` of the web page")
	flags.Func("host", "`NAME[,NAME...]` under which the web page may be asked for, beside localhost, addresses and the name in -addr", list(&o.hosts))
	flags.BoolVar(&o.open, "open", false, "open the web page in a browser")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the random stays and booking references")

	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return o, err
	}
	if err != nil {
		return o, err
	}
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if err := o.check(flags.Args(), given); err != nil {
		return o, err
	}
	o.cleanupEvery, err = cleanupInterval(getenv("SESSION_CLEANUP_INTERVAL"))
	return o, err
}

// check returns the first thing that makes no sense.
func (o options) check(rest []string, given map[string]bool) error {
	for _, name := range []string{"addr", "open", "host"} {
		if given[name] && (given["script"] || given["storm"]) {
			return fmt.Errorf("-%s is for the web page; -script and -storm have none", name)
		}
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case given["script"] && given["storm"]:
		return errors.New("-script and -storm exclude each other")
	case given["script"] && o.script == "":
		return errors.New("-script needs a file, or - for standard input")
	case given["storm"] && o.storm < 1:
		return fmt.Errorf("-storm %d: at least one guest is needed", o.storm)
	case o.noLocks && !given["storm"]:
		return errors.New("-no-locks is for -storm only")
	case o.rooms < 1 || o.rooms > 1000:
		return fmt.Errorf("-rooms %d: between 1 and 1000 are possible", o.rooms)
	case given["audit"] && !strings.HasPrefix(o.audit, "postgres://") && (!strings.HasPrefix(o.audit, "sqlite:") || o.audit == "sqlite:"):
		return errors.New("-audit must be postgres://... or sqlite:FILE")
	case slices.Contains(o.redis, ""):
		return errors.New("-redis has an empty address")
	case given["pms"] && !isURL(o.pms):
		return fmt.Errorf("-pms %q is no http URL", o.pms)
	}
	return nil
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// cleanupInterval reads SESSION_CLEANUP_INTERVAL, in seconds.
func cleanupInterval(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 || seconds > 24*60*60 {
		return 0, fmt.Errorf("SESSION_CLEANUP_INTERVAL=%q: seconds between 1 and 86400 are possible", text)
	}
	return time.Duration(seconds) * time.Second, nil
}
