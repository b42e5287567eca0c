// SPDX-License-Identifier: MIT

package faultproxy

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// heard are the lines that a server was sent. It answers each with itself.
type heard struct {
	mu    sync.Mutex
	lines []string
	come  chan string
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, " ")
}

// echo starts a server of lines and a proxy in front of it.
func echo(t *testing.T) (*Proxy, *heard) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &heard{come: make(chan string, 100)}
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); fmt.Fprintln(conn, lines.Text()) {
					h.mu.Lock()
					h.lines = append(h.lines, lines.Text())
					h.mu.Unlock()
					h.come <- lines.Text()
				}
			})
		}
	})
	return Start(t, l.Addr().String()), h
}

// guest is a client of the proxy.
type guest struct {
	*testing.T
	net.Conn
	lines *bufio.Scanner
}

func dial(t *testing.T, p *Proxy) *guest {
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &guest{t, conn, bufio.NewScanner(conn)}
}

func (g *guest) send(line string) {
	g.Helper()
	if _, err := fmt.Fprintln(g.Conn, line); err != nil {
		g.Fatal(err)
	}
}

// answer waits for a line that is meant to come.
func (g *guest) answer(want string) {
	g.Helper()
	_ = g.SetReadDeadline(time.Now().Add(10 * time.Second))
	if !g.lines.Scan() || g.lines.Text() != want {
		g.Errorf("answer %q, %v, want %q", g.lines.Text(), g.lines.Err(), want)
	}
}

// silent looks that nothing comes for a moment, on a connection that lives.
func (g *guest) silent() {
	g.Helper()
	_ = g.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := g.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		g.Errorf("%d bytes, %v, want silence", n, err)
	}
}

// ended looks that the connection was cut before another byte.
func (g *guest) ended() {
	g.Helper()
	_ = g.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := g.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		g.Errorf("%d bytes, %v, want the end", n, err)
	}
}

func TestWithoutAFaultItOnlyForwards(t *testing.T) {
	p, _ := echo(t)
	a, b := dial(t, p), dial(t, p)
	big := strings.Repeat("x", 50_000)
	for _, g := range []*guest{a, b, a} {
		g.send("hello")
		g.answer("hello")
	}
	a.send(big)
	a.answer(big)
	_ = a.Conn.(*net.TCPConn).CloseWrite()
	a.ended()
	b.send("still here")
	b.answer("still here")
}

func TestHeldRequestsReachTheServerOnlyAfterPass(t *testing.T) {
	p, server := echo(t)
	g := dial(t, p)
	p.Hold(Requests)
	g.send("one")
	g.send("two")
	g.silent()
	if got := server.all(); got != "" {
		t.Errorf("the server got %q", got)
	}
	p.Pass(Requests)
	g.answer("one")
	g.answer("two")
}

func TestHeldRepliesAreToRequestsThatWentThrough(t *testing.T) {
	p, server := echo(t)
	p.Hold(Replies)
	g := dial(t, p) // also for those who come later
	g.send("one")
	<-server.come
	g.silent()
	p.Pass(Both)
	g.answer("one")
}

func TestOneConnectionCanBeHeldAlone(t *testing.T) {
	p, server := echo(t)
	a := dial(t, p)
	a.send("subscribe")
	a.answer("subscribe")
	b := dial(t, p)
	b.send("get")
	b.answer("get")
	conns := p.Conns()
	if len(conns) != 2 || conns[0].Opening() != "subscribe\n" || conns[1].Opening() != "get\n" {
		t.Fatalf("connections: %d", len(conns))
	}
	conns[0].Hold(Replies)
	a.send("one")
	for line := ""; line != "one"; {
		line = <-server.come
	}
	a.silent()
	b.send("two")
	b.answer("two")
	conns[0].Pass(Replies)
	a.answer("one")
	conns[0].Cut()
	a.ended()
	b.send("three")
	b.answer("three")
	if n := len(p.Conns()); n != 1 {
		t.Errorf("%d connections are left, want 1", n)
	}
}

func TestADelayedPieceComesThatMuchLater(t *testing.T) {
	p, _ := echo(t)
	g := dial(t, p)
	p.Delay(Both, 30*time.Millisecond)
	start := time.Now()
	g.send("one")
	g.answer("one")
	if took := time.Since(start); took < 60*time.Millisecond {
		t.Errorf("there and back took %s, want 30 ms each", took)
	}
	p.Delay(Both, time.Hour)
	g.send("two")
	g.silent()
	p.Delay(Both, 0)
	g.answer("two")
}

func TestALostReplyIsToARequestThatWentThrough(t *testing.T) {
	p, server := echo(t)
	p.Lose("book", 2)
	other := dial(t, p)
	for range 2 {
		g := dial(t, p)
		g.send("look")
		g.answer("look")
		g.send("book 101")
		g.ended()
	}
	if p.Lost() != 2 || server.all() != "look book 101 look book 101" {
		t.Errorf("%d lost, the server got %q", p.Lost(), server.all())
	}
	other.send("book 102") // the third
	other.answer("book 102")
}

func TestCutEndsAllThatAreOpenEvenIfHeld(t *testing.T) {
	p, _ := echo(t)
	a, b := dial(t, p), dial(t, p)
	b.send("one")
	b.answer("one")
	p.Hold(Both)
	a.send("two")
	b.send("three")
	for len(p.Conns()) < 2 {
		time.Sleep(time.Millisecond) // until the proxy has accepted both
	}
	p.Cut()
	a.ended()
	b.ended()
	p.Pass(Both)
	c := dial(t, p)
	c.send("four")
	c.answer("four")
}

func TestADeadServerIsADeadConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	dial(t, Start(t, l.Addr().String())).ended()
}

func TestARedirectedProxyLeadsElsewhere(t *testing.T) {
	p, first := echo(t)
	other, second := echo(t)
	g := dial(t, p)
	g.send("one")
	g.answer("one")
	p.Redirect(other.Addr)
	g.ended()
	g = dial(t, p)
	g.send("two")
	g.answer("two")
	if first.all() != "one" || second.all() != "two" {
		t.Errorf("the servers got %q and %q", first.all(), second.all())
	}
}
