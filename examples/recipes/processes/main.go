// SPDX-License-Identifier: MIT

// Two processes share a Redis: what one holds, the other waits for.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// guest is what each process runs: it waits for the room and has it until its
// standard input ends.
func guest(addr, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer client.Close()
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms", Holder: name})
	if err != nil {
		return err
	}
	defer rooms.Close(ctx)
	for h := range rooms.Holds(ctx, lock.Key("room/101")) {
		fmt.Println(name, "waits for", h.Holder)
	}
	return rooms.Do(ctx, lock.Key("room/101"), func(context.Context, *lock.Lease) error {
		fmt.Println(name, "has the room")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	})
}

// start starts this program again as a guest, and prints its first line.
func start(addr, name string) (lines *bufio.Scanner, leave func()) {
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), "REDIS="+addr, "GUEST="+name)
	process.Stderr = os.Stderr
	in, inErr := process.StdinPipe()
	out, outErr := process.StdoutPipe()
	check(inErr, outErr, process.Start())
	lines = bufio.NewScanner(out)
	show(lines)
	return lines, func() { check(in.Close(), process.Wait()) }
}

func main() {
	if addr := os.Getenv("REDIS"); addr != "" {
		check(guest(addr, os.Getenv("GUEST")))
		return
	}
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	check(server.StartAddr("127.0.0.1:0"))
	defer server.Close()
	_, anaLeaves := start(server.Addr(), "ana")
	ben, benLeaves := start(server.Addr(), "ben")
	anaLeaves()
	show(ben)
	benLeaves()
}

func show(lines *bufio.Scanner) {
	lines.Scan()
	fmt.Println(lines.Text())
}

func check(errs ...error) {
	if err := errors.Join(errs...); err != nil {
		log.Fatal(err)
	}
}
