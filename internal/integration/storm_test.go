// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// A storm whose Redis is suspended, forgets its scripts, and lies behind a
// network that loses replies and cuts connections, until the last guest has
// his answer. 20 rounds with HOLDFAST_LONG.
func TestAStormThroughFaultsBooksNoRoomTwice(t *testing.T) {
	bot := buildBot(t)
	rounds := 1
	if long() {
		rounds = 20
	}
	for round := range rounds {
		t.Run(strconv.Itoa(round), func(t *testing.T) { stormWithFaults(t, bot, uint64(round+1)) })
	}
}

func stormWithFaults(t *testing.T, bot string, seed uint64) {
	server := redistest.Real(t)
	network := faultproxy.Start(t, server.Addr)
	cmd := exec.Command(bot, "-redis", network.Addr, "-storm", "1000", "-rooms", "20", "-seed", strconv.FormatUint(seed, 10))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	ctx, cancel := context.WithCancel(t.Context())
	faults := make(chan int)
	go func() { faults <- plague(ctx, server, network, seed) }()
	err := cmd.Run()
	cancel()
	count := <-faults
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errs.String())
	}
	t.Logf("%d faults, %d replies lost: %s%s", count, network.Lost(), out.String(), errs.String())
	var tally stormTally
	if err := json.Unmarshal(out.Bytes(), &tally); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	// A guest may read that Redis could not be reached, which is true. All
	// other errors are refusals that the oracle of the storm cannot explain.
	honest := 0
	for line := range strings.Lines(errs.String()) {
		if strings.HasPrefix(line, "storm-") && strings.Contains(line, "unavailable: ") {
			honest++
		}
	}
	if tally.DoubleBookings == nil || *tally.DoubleBookings != 0 || tally.Errors != honest {
		t.Error("double bookings or unexplained refusals")
	}
	if tally.Booked == 0 || tally.Booked+tally.Conflicts+tally.Fallbacks+honest != 1000 || count < 5 || network.Lost() == 0 {
		t.Error("that shows nothing")
	}
}

// plague does one harm after another until ctx ends, and returns how many.
func plague(ctx context.Context, server *redistest.Server, network *faultproxy.Proxy, seed uint64) (n int) {
	random := rand.New(rand.NewPCG(seed, 3))
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	for ; ctx.Err() == nil; n++ {
		switch n % 4 {
		case 0:
			network.Lose("evalsha", 1+random.IntN(10))
		case 1:
			server.Suspend()
			pause(context.Background(), time.Duration(random.IntN(300))*time.Millisecond)
			server.Resume()
		case 2:
			client.ScriptFlush(context.Background())
		case 3:
			network.Cut()
		}
		pause(ctx, time.Duration(20+random.IntN(100))*time.Millisecond)
	}
	return n
}
