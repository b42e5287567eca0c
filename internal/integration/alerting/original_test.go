// SPDX-License-Identifier: MIT

package alerting

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// originalService is a service with one of each kind under the original's
// names, and some conflicts. It returns its address.
func originalService(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewRegistry()
	watch, err := metrics.New(registry, metrics.WithOriginalNames())
	must(err)
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: watch})
	must(err)
	pms.ForceOpen(errors.New("maintenance"))
	trail, err := audit.New(audit.NewMemory(), audit.Config{Observer: watch})
	must(err)
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", MaxExtensions: 1, Audit: trail, Observer: watch})
	must(err)
	chats, err := session.New(memsession.New(), session.Config[string]{Name: "chats", Observer: watch})
	must(err)
	t.Cleanup(func() {
		must(rooms.Close(context.WithoutCancel(ctx)))
		must(trail.Close(context.WithoutCancel(ctx)))
		pms.Reset()
	})
	lease, err := rooms.TryAcquire(ctx, lock.Key("101"))
	must(err)
	must(lease.Extend(ctx, time.Minute))
	if err := lease.Extend(ctx, time.Minute); !errors.Is(err, lock.ErrMaxReached) {
		t.Fatal(err)
	}
	if _, err := rooms.TryAcquire(ctx, lock.Key("101")); !errors.Is(err, lock.ErrConflict) {
		t.Fatal(err)
	}
	_, err = chats.Create(ctx, "hello")
	must(err)
	_, err = chats.Sweep(ctx)
	must(err)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestTheOriginalsRulesRunUnchangedOnItsNames(t *testing.T) {
	t.Parallel()
	const file = testFolder + "/original/rules.yml"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	groups := parseRules(t, file, content)
	began := time.Now()
	watch := startPrometheus(t, map[string]string{"original": originalService(t)}, absolute(t, file))
	names := make(map[string]bool)
	for _, r := range groups.Groups[0].Rules {
		for _, wrong := range library(true).check(r.Expr) {
			t.Errorf("%s: %s", r.Alert, wrong)
		}
		expr, err := parser.ParseExpr(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if s, ok := n.(*parser.VectorSelector); ok {
				names[s.String()] = true
			}
			return nil
		})
	}
	deadline := time.Now().Add(20 * time.Second)
	for selector := range names {
		for watch.samples(t, selector, began) == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("%s finds nothing", selector)
			}
			time.Sleep(100 * time.Millisecond) // Prometheus lives in real time
		}
	}
	for n, broken := watch.ruleHealth(t, file); ; n, broken = watch.ruleHealth(t, file) {
		if n == len(groups.Groups[0].Rules) && len(broken) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d rules, broken %q", n, broken)
		}
		time.Sleep(100 * time.Millisecond) // the first evaluation is to come
	}
	for _, selector := range []string{"pms_circuit_breaker_state == 2", `lock_conflicts_total{room_id="101"} == 1`,
		`lock_extensions_total{result="max_reached"} == 1`, "session_active_total == 1", `session_cleanup_total{result="success"} == 1`,
		"db_statement_timeouts_total == 0", "db_connections_active == 0"} {
		if watch.samples(t, selector, began) == 0 {
			t.Errorf("%s is not so", selector)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
