// SPDX-License-Identifier: MIT

package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// sample returns the lines of the metrics that have the text in them.
func sample(t *testing.T, c *http.Client, base, text string) (found string) {
	t.Helper()
	_, body := get(t, c, base+"/metrics")
	for line := range strings.Lines(body) {
		if strings.Contains(line, text) {
			found += line
		}
	}
	return found
}

func TestSwitchesThatDoNotExistAreRefused(t *testing.T) {
	server, client := page(t)
	for _, body := range []string{``, `[]`, `{`, `{"pms":"tired"}`, `{"redis":"DOWN"}`, `{"audit":"off"}`, `{"cleanup":"down"}`, `{"trail":"down"}`, `{"pmss":"failing"}`} {
		if status, got := call(t, client, http.MethodPut, server.URL+"/api/faults", body); status != http.StatusBadRequest || got["detail"] == nil {
			t.Errorf("%s: %d %v", body, status, got)
		}
	}
	if status, _ := call(t, client, http.MethodDelete, server.URL+"/api/faults", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", status)
	}
}

func TestCorruptedConversationsBeginAnewAndAreCounted(t *testing.T) {
	server, client := page(t)
	hello := func() {
		post(t, client, server.URL+"/message", url.Values{"guest": {"ana"}, "text": {"help"}})
	}
	hello()
	if status, got := call(t, client, http.MethodPost, server.URL+"/api/sessions/corrupt", ""); status != http.StatusOK || got["corrupted"] != 1.0 {
		t.Fatalf("%d %v", status, got)
	}
	hello()
	if got := sample(t, client, server.URL, `session_ended_total{manager="chats",reason="corrupted"} 1`); got == "" {
		t.Errorf("not counted: %s", sample(t, client, server.URL, "session_ended_total"))
	}
	call(t, client, http.MethodPut, server.URL+"/api/faults", `{"redis":"down"}`)
	if status, _ := call(t, client, http.MethodPost, server.URL+"/api/sessions/corrupt", ""); status != http.StatusServiceUnavailable {
		t.Errorf("without Redis: %d", status)
	}
}

func TestARowChangedBehindTheTrailsBackIsNamedUntilItIsPutBack(t *testing.T) {
	server, client := page(t)
	set := func(position string, want int) site.Audit {
		t.Helper()
		if code, answer := call(t, client, "PUT", server.URL+"/api/faults", `{"trail":"`+position+`"}`); code != want {
			t.Fatalf("%s: %d, %v; want %d", position, code, answer, want)
		}
		return state(t, client, server.URL).Audit
	}
	shows := func(want ...string) {
		t.Helper()
		for i, lang := range []string{"en", "es"} {
			if _, body := get(t, client, server.URL+"/?guest=ana&lang="+lang); !strings.Contains(body, want[i]) {
				t.Errorf("the page does not say %q:\n%s", want[i], body)
			}
		}
	}
	set("changed", http.StatusUnprocessableEntity) // there is no row yet
	post(t, client, server.URL+"/message", url.Values{"guest": {"ana"}, "text": {"book room 101 for a night from tomorrow"}})

	a := set("changed", http.StatusOK)
	row := a.Latest[0]
	if v := a.Verified; v == nil || v.Findings != 1 || len(v.Changed) != 1 || v.Changed[0] != row.ID || row.Actor.ID != "not ana" || v.Intact == 0 {
		t.Fatalf("Verify found %+v; the newest row is %+v", v, row)
	}
	shows("this row was changed after it was sealed: <code>"+row.ID.String(), "esta fila se cambió después de sellarse: <code>"+row.ID.String())
	if again := set("changed", http.StatusOK); again.Verified.Findings != 1 {
		t.Errorf("a second press changes another row: %+v", again.Verified)
	}
	if got := sample(t, client, server.URL, "holdfast_audit_findings"); !strings.Contains(got, "} 1") {
		t.Errorf("the gauge for the alert is %s", got)
	}
	if a = set("sealed", http.StatusOK); a.Verified.Findings != 0 || a.Latest[0].Actor.ID != "ana" {
		t.Errorf("the row was put back, and Verify found %+v", a.Verified)
	}
	shows("each as it was sealed", "cada una como se selló")

	post(t, client, server.URL+"/trail", url.Values{"guest": {"ana"}, "trail": {"changed"}})
	if a = state(t, client, server.URL).Audit; a.Verified.Findings != 1 {
		t.Errorf("after the form Verify found %+v", a.Verified)
	}
	call(t, client, "POST", server.URL+"/api/reset", "")
	if a = state(t, client, server.URL).Audit; a.Verified.Findings != 0 {
		t.Errorf("after a reset Verify found %+v", a.Verified)
	}
}

func TestATrailWithoutSealsHasNoSwitch(t *testing.T) {
	server, client := serverOf(t, site.New(start(t, "-audit", "sqlite:"+t.TempDir()+"/audit.db").Parts))
	if code, _ := call(t, client, "PUT", server.URL+"/api/faults", `{"trail":"changed"}`); code != http.StatusBadRequest {
		t.Errorf("answered %d", code)
	}
	if _, body := get(t, client, server.URL+"/"); strings.Contains(body, `name="trail"`) {
		t.Error("the page has the switch")
	}
}

// A key that is kept lets the next bot continue the tree, and the row that one has
// changed is put back when it ends.
func TestTheNextBotVerifiesWhatTheLastOneSealed(t *testing.T) {
	kept := t.TempDir()
	for range 2 {
		b, err := open(t.Context(), options{rooms: 3, audit: "sqlite:" + kept + "/audit.db", seal: kept + "/root.key", settleAfter: settling()})
		if err != nil {
			t.Fatal(err)
		}
		b.Desk.Answer(t.Context(), "ana", "book room 101 for a night from tomorrow")
		if err := b.Trail.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.Switches.Set(t.Context(), fault.Positions{"trail": fault.Changed}); err != nil {
			t.Error(err)
		}
		if s := b.seals.Stats(); s.LastFindings != 1 {
			t.Errorf("Verify had %d findings, want the row that was changed", s.LastFindings)
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}
}
