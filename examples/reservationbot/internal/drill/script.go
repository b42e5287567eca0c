// SPDX-License-Identifier: MIT

package drill

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
)

// Script is a guest's side of conversations, played on a bot.
type Script struct {
	Desk    *desk.Desk
	Rooms   *lock.Manager
	Trail   *audit.Log
	Events  *gormsink.Sink
	PMS     *hotel.Client
	Started time.Time // what the trail shows is later
}

// PlayFile plays the script in the named file, "-" = in.
func (s Script) PlayFile(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	if name == "-" {
		return s.Play(ctx, in, out)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return s.Play(ctx, file, out)
}

// Play reads one guest message a line and prints it with the bot's answer.
// Lines that begin with "!" steer the play, and those with "#" are printed
// as they are:
//
//	!guest NAME                          who speaks from here on
//	!pms healthy|slow|failing|hanging|lossy    how the PMS feels
//	!wait 5s                             let time pass
//	!show holds|audit|breaker            what the library knows
//
// It stops at the first line that it cannot make out, and when ctx ends.
func (s Script) Play(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &player{Script: s, out: out, guest: "guest"}
	script := linesOf(ctx, in)
	for n := 1; ; n++ {
		text, err := script.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = p.line(ctx, strings.TrimSpace(text))
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

type player struct {
	Script
	out   io.Writer
	guest string
}

func (p *player) line(ctx context.Context, text string) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case text == "" || strings.HasPrefix(text, "#"):
		fmt.Fprintln(p.out, text)
		return nil
	case !strings.HasPrefix(text, "!"):
		fmt.Fprintf(p.out, "%s> %s\n", p.guest, text)
		reply := p.Desk.Answer(ctx, p.guest, text)
		fmt.Fprintf(p.out, "bot> %s\n", reply.Text)
		return reply.Err
	}
	fmt.Fprintln(p.out, text)
	return p.command(ctx, strings.Fields(text[1:]))
}

func (p *player) command(ctx context.Context, words []string) error {
	if len(words) != 2 {
		return fmt.Errorf("a command is one word and one argument: !guest NAME, !pms MODE, !wait TIME or !show WHAT")
	}
	switch command, arg := words[0], words[1]; command {
	case "guest":
		if !desk.IsName(arg) {
			return fmt.Errorf("!guest %.64q: a name of 1 to 64 characters is needed", arg)
		}
		p.guest = arg
		return nil
	case "pms":
		if !slices.Contains(hotel.Modes, arg) {
			return fmt.Errorf("!pms %s: the modes are %v", arg, hotel.Modes)
		}
		return p.PMS.SetMode(ctx, arg)
	case "wait":
		return wait(ctx, arg)
	case "show":
		return p.show(ctx, arg)
	default:
		return fmt.Errorf("unknown command !%s", command)
	}
}

func wait(ctx context.Context, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("!wait %s: a time such as 5s is needed", text)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *player) show(ctx context.Context, what string) error {
	switch what {
	case "holds":
		return p.showHolds(ctx)
	case "audit":
		return p.showAudit(ctx)
	case "breaker":
		s := p.Desk.Breaker.Stats()
		fmt.Fprintf(p.out, "  pms: %s; calls: %d succeeded, %d failed, %d rejected\n", s.State, s.Total.Success, s.Total.Failure, s.Rejected)
		return nil
	}
	return fmt.Errorf("!show %s: there are holds, audit and breaker", what)
}

func (p *player) showHolds(ctx context.Context) error {
	none := true
	for h, err := range p.Rooms.Holds(ctx, lock.Resource{}) {
		if err != nil {
			return err
		}
		none = false
		minutes := int((h.Left + time.Minute - 1) / time.Minute)
		fmt.Fprintf(p.out, "  %s: %s, %d min left, extended %d times\n", h.Resource, h.Holder, minutes, h.Extensions)
	}
	if none {
		fmt.Fprintln(p.out, "  nothing is held")
	}
	return nil
}

// showAudit prints what this process has written to the database.
func (p *player) showAudit(ctx context.Context) error {
	if err := p.Trail.Flush(ctx); err != nil {
		return err
	}
	for e, err := range p.Events.Query(ctx, gormsink.Criteria{From: p.Started}) {
		if err != nil {
			return err
		}
		if e.Type == audit.TypeOpened { // names the machine
			continue
		}
		line := fmt.Sprintf("  %-18s %-8s %-6s %s %s", e.Type, e.Outcome, e.Actor.ID, e.Resource.Name, e.Reason)
		fmt.Fprintln(p.out, strings.TrimRight(line, " "))
	}
	return nil
}

// lines reads a script line by line, for as long as a context lasts. A read of
// a terminal cannot be interrupted, so it has a goroutine of its own: there it
// does not keep the program from stopping.
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
