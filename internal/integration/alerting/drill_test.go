// SPDX-License-Identifier: MIT

package alerting

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// usual is what guests say on a day without faults.
var usual = []string{
	": free rooms " + nights, ": free rooms " + nights, ": free rooms " + nights, ": free rooms " + nights,
	": book room 104 " + nights, ": cancel", ": hold room 105 " + nights, ": help",
}

// nights are in half a year: the bot asks whether those of years later are meant.
var nights = "from " + time.Now().AddDate(0, 6, 0).Format(time.DateOnly) + " to " + time.Now().AddDate(0, 6, 2).Format(time.DateOnly)

// drill is a bot under a load, watched by a Prometheus.
type drill struct {
	t       *testing.T
	bot     string
	watch   server
	client  *http.Client
	began   time.Time
	fired   map[string]string // what has fired so far, with its summary
	resting context.CancelFunc
	guests  sync.WaitGroup
}

func newDrill(t *testing.T, addr string) *drill {
	d := &drill{t: t, bot: addr, fired: make(map[string]string), began: time.Now(), client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(d.client.CloseIdleConnections)
	return d
}

// turn turns switches of the bot.
func (d *drill) turn(method, path, body string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.bot+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := d.client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %s: %s", path, body, answer.Status)
	}
}

// load has guests say the sentences in turn, each guest its own, until rest is
// called or another load begins.
func (d *drill) load(every time.Duration, sentences ...string) {
	d.rest()
	ctx, cancel := context.WithCancel(d.t.Context())
	d.resting = cancel
	for i, text := range sentences {
		d.guests.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := 0; ; n++ {
				guest, text, _ := strings.Cut(text, ": ")
				if guest == "" {
					guest = fmt.Sprintf("guest %d", i)
				}
				say(ctx, d.client, d.bot, guest, text)
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// firing returns the alerts of the bot and of the desk beside it.
func (d *drill) firing() map[string]string {
	all := d.watch.firing(d.t, "bot")
	maps.Copy(all, d.watch.firing(d.t, "desk"))
	return all
}

func (d *drill) rest() {
	if d.resting != nil {
		d.resting()
		d.guests.Wait()
	}
}

func say(ctx context.Context, c *http.Client, addr, guest, text string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/message",
		strings.NewReader(url.Values{"guest": {guest}, "text": {text}}.Encode()))
	if err != nil {
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if answer, err := c.Do(r); err == nil {
		answer.Body.Close()
	}
}

// until waits until all the alerts fire, at some time of the drill.
func (d *drill) until(what string, alerts ...string) {
	d.t.Helper()
	from := time.Now()
	for {
		maps.Copy(d.fired, d.firing())
		missing := slices.DeleteFunc(slices.Clone(alerts), func(name string) bool { return d.fired[name] != "" })
		if len(missing) == 0 {
			d.t.Logf("%5.1fs %s: %v fired within %.1fs", time.Since(d.began).Seconds(), what, alerts, time.Since(from).Seconds())
			return
		}
		if time.Since(from) > time.Minute {
			d.t.Fatalf("%s: %v have not fired; so far %v", what, missing, slices.Sorted(maps.Keys(d.fired)))
		}
		time.Sleep(200 * time.Millisecond) // Prometheus lives in real time
	}
}

// untilResolved waits until none of the alerts fires any more.
func (d *drill) untilResolved(alerts ...string) {
	d.t.Helper()
	for from := time.Now(); ; time.Sleep(200 * time.Millisecond) { // Prometheus lives in real time
		firing := d.firing()
		left := slices.DeleteFunc(slices.Clone(alerts), func(name string) bool { return firing[name] == "" })
		if len(left) == 0 {
			d.t.Logf("%5.1fs %d alerts have resolved", time.Since(d.began).Seconds(), len(alerts))
			return
		}
		if time.Since(from) > time.Minute {
			d.t.Fatalf("%v have not resolved", left)
		}
	}
}

func TestAlertsFireAndResolveWhileABotIsBrokenAndHealed(t *testing.T) {
	t.Parallel()
	_, addr := startBot(t, []string{"SESSION_CLEANUP_INTERVAL=1"})
	d := newDrill(t, addr)
	desk, deskAddr := startBot(t, nil)
	d.watch = startPrometheus(t, map[string]string{"bot": addr, "desk": deskAddr})

	d.turn("PUT", "/api/faults", `{"pms":"slow"}`)
	d.load(80*time.Millisecond, "ana: hold room 101 "+nights, "ben: hold room 101 "+nights, "cleo: hold room 101 "+nights,
		"ana: extend", "ben: extend", "cleo: extend", ": free rooms "+nights, ": free rooms "+nights)
	rush := []string{"LockConflictsHigh", "LockConflictsCritical", "LockExtensionsExceeded", "HighPmsLatencyP95"}
	d.until("a rush, and a slow PMS", rush...)

	d.load(150*time.Millisecond, usual...)
	desk.Suspend()
	d.turn("PUT", "/api/faults", `{"pms":"failing","audit":"down","cleanup":"stopped"}`)
	for i := range usual { // who has no session yet cannot lose it
		say(t.Context(), d.client, d.bot, fmt.Sprint("guest ", i), "help")
	}
	d.turn("POST", "/api/sessions/corrupt", "")
	first := []string{"CircuitBreakerOpen", "CircuitBreakerCallsFailing", "CircuitBreakerRejectingCalls", "NLPFallbacksHigh",
		"ReservationErrorBudgetBurn 1h", "ReservationErrorBudgetBurn 6h", "HoldfastServiceVanished",
		"AuditWriteFailures", "AuditTrailSilent", "SessionCleanupStalled", "SessionCorruption"}
	d.until("PMS fails, audit down, cleanup stopped, sessions corrupt, a second service away", first...)
	desk.Resume()

	d.turn("PUT", "/api/faults", `{"pms":"healthy","audit":"up","cleanup":"running","redis":"down"}`)
	second := []string{"SessionStoreErrors", "OrchestratorHighErrorRate", "SessionCleanupFailures"}
	d.until("Redis down", second...)

	d.turn("PUT", "/api/faults", `{"redis":"up"}`)
	d.load(150*time.Millisecond, ": free rooms "+nights, ": help")
	resolve := slices.Concat(rush, first, second)
	if os.Getenv("HOLDFAST_LONG") == "" {
		// It looks back over an hour: 36 seconds more.
		resolve = slices.DeleteFunc(resolve, func(name string) bool { return name == "SessionCleanupFailures" })
	}
	d.untilResolved(resolve...)
	if len(resolve) < 17 {
		t.Errorf("only %d alerts were seen to fire and to resolve", len(resolve))
	}
	t.Logf("all that fired: %v", slices.Sorted(maps.Keys(d.fired)))
	for name, summary := range d.fired {
		if summary == "" || strings.Contains(summary, "<no value>") || strings.Contains(summary, "  ") {
			t.Errorf("%s says %q", name, summary)
		}
	}
	for _, p := range panels(t) {
		for _, expr := range p.queries {
			if n := d.watch.samples(t, short(t, expr), d.began); n == 0 && !p.quiet {
				t.Errorf("%s is empty: %s", p.where, expr)
			}
		}
	}
}

// All windows are a hundredth of what they are, and so is the hour.
func TestAnHourWithoutFaultsFiresNothing(t *testing.T) {
	t.Parallel()
	_, addr := startBot(t, nil)
	d := newDrill(t, addr)
	defer d.rest()
	d.watch = startPrometheus(t, map[string]string{"bot": addr})
	d.load(150*time.Millisecond, usual...)
	for time.Since(d.began) < time.Hour/scale {
		if fired := d.firing(); len(fired) > 0 {
			t.Fatalf("after %v: %v", time.Since(d.began), fired)
		}
		time.Sleep(200 * time.Millisecond) // Prometheus lives in real time
	}
	if d.watch.samples(t, `sum(rate(holdfast_lock_operations_total[3s])) > 1`, d.began) == 0 {
		t.Error("the guests have done nothing")
	}
}
