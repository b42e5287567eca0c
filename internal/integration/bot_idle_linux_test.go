// SPDX-License-Identifier: MIT

package integration

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// With HOLDFAST_LONG the time is long enough for the figure that counts. The limit of
// the usual run only finds a loop that does not wait.
func TestAnIdlePageCostsLessThanAHundredthOfACore(t *testing.T) {
	t.Parallel()
	idle, limit := 2*time.Second, 0.1
	if long() {
		idle, limit = 20*time.Second, 0.01
	}
	address, child := openHotel(t, buildBot(t))
	page, err := http.Get(address + "/events?guest=ana")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	events := bufio.NewReader(page.Body)
	for line := ""; line != "event: reload\n"; {
		if line, err = events.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	go func() { _, _ = events.WriteTo(new(strings.Builder)) }()
	time.Sleep(time.Second) // the page has what it needs
	began, before := time.Now(), processorTime(t, child.Process.Pid)
	time.Sleep(idle) // another process lives in real time
	used, took := processorTime(t, child.Process.Pid)-before, time.Since(began)
	share := used.Seconds() / took.Seconds()
	t.Logf("%v in %v: %.2f %% of a core", used, took.Round(time.Millisecond), 100*share)
	if share > limit {
		t.Errorf("an idle page costs more than %.0f %% of a core", 100*limit)
	}
}

// processorTime is what a process has used so far, as the kernel counts it: in
// hundredths of a second.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may have spaces
	fields := strings.Fields(rest)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("/proc/%d/stat has %s", pid, stat)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
