// SPDX-License-Identifier: MIT

//go:build linux

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// 250 and 1000 guests, with HOLDFAST_LONG 5000 and 20 000, on what the bot brings along.
// What a storm of one guest takes is not counted. The limit of the usual run leaves room for
// a busy machine.
func TestAStormsTimeAndMemoryPerGuestDoNotGrowWithTheGuests(t *testing.T) {
	few, atMost := 250, 4.0
	if long() {
		few, atMost = 5000, 1.6
	}
	bot := buildBot(t)
	base := costOfAStorm(t, bot, 1)
	perGuest := func(guests int) (time, memory float64) {
		c := costOfAStorm(t, bot, guests)
		time, memory = (c.ms-base.ms)/float64(guests), (c.kB-base.kB)/float64(guests)
		t.Logf("%d guests: %.2f ms of the processor and %.1f kB for each", guests, time, memory)
		return time, memory
	}
	time1, memory1 := perGuest(few)
	time4, memory4 := perGuest(4 * few)
	if time4 > atMost*time1 || memory4 > atMost*memory1 {
		t.Errorf("of four times the guests, each takes more than %.1f times the time or the memory", atMost)
	}
}

// cost is what a process has taken in all.
type cost struct{ ms, kB float64 } // of the processor, and at the peak

func costOfAStorm(t *testing.T, bot string, guests int) cost {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.Command(bot, "-storm", strconv.Itoa(guests), "-rooms", "20")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := peakOf(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%d guests: %v\n%s%s", guests, err, &out, &errs)
	}
	var tally stormTally
	if err := json.Unmarshal([]byte(out.String()), &tally); err != nil || tally.Errors != 0 || tally.Booked == 0 {
		t.Errorf("%v in %s", err, &out)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return cost{float64(used.Milliseconds()), peak}
}

// peakOf waits for the end of a process and returns the most memory that it had, in
// kilobytes. The rusage of a process cannot be used: it starts with the peak of the
// process that started it.
func peakOf(pid int) (peak float64) {
	for ; ; time.Sleep(time.Millisecond) { // a process's time is real
		status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		_, line, found := strings.Cut(string(status), "VmHWM:")
		if !found { // it has ended
			return peak
		}
		peak, _ = strconv.ParseFloat(strings.Fields(line)[0], 64)
	}
}
