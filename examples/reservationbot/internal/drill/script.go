// SPDX-License-Identifier: MIT

package drill

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
	"github.com/holdfast-go/holdfast/lock"
)

// Play plays a guest's side of conversations on a bot. It reads one message a line
// and prints it with the bot's answer. Lines that begin with "!" steer the play, and
// those with "#" are printed as they are:
//
//	!guest NAME                          who speaks from here on
//	!pms healthy|slow|failing|hanging|lossy    how the PMS feels
//	!wait 5s                             let time pass
//	!show holds|audit|breaker            what the library knows
//
// It stops at the first line that it cannot make out, and when ctx ends: a read of a
// terminal cannot be interrupted, so it has a goroutine of its own.
func Play(ctx context.Context, b site.Parts, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, scanner := make(chan string), bufio.NewScanner(in)
	go func() {
		defer close(lines)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	p := &player{Parts: b, out: out, guest: "guest", started: time.Now()}
	for n := 1; ; n++ {
		var err error
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case text, more := <-lines:
			if more {
				err = p.line(ctx, strings.TrimSpace(text))
			} else if err = cmp.Or(context.Cause(ctx), scanner.Err()); err == nil {
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

type player struct {
	site.Parts
	out     io.Writer
	guest   string
	started time.Time // what the trail shows is later
}

func (p *player) line(ctx context.Context, text string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	command, steers := strings.CutPrefix(text, "!")
	if !steers && text != "" && text[0] != '#' {
		fmt.Fprintf(p.out, "%s> %s\n", p.guest, text)
		reply := p.Desk.Answer(ctx, p.guest, text)
		fmt.Fprintf(p.out, "bot> %s\n", reply.Text)
		return reply.Err
	}
	fmt.Fprintln(p.out, text)
	if !steers {
		return nil
	}
	return p.command(ctx, command)
}

func (p *player) command(ctx context.Context, text string) error {
	command, arg, _ := strings.Cut(text, " ")
	switch command {
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
	}
	return fmt.Errorf("!%s: the commands are !guest NAME, !pms MODE, !wait TIME and !show WHAT", text)
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
	for h, err := range p.Desk.Locks.Holds(ctx, lock.Resource{}) {
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
	for e, err := range p.Events.Query(ctx, gormsink.Criteria{From: p.started}) {
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
