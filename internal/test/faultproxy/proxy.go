// SPDX-License-Identifier: MIT

// Package faultproxy stands between a client and a TCP server and, when asked
// to, behaves like a bad network: it holds bytes back in one direction or in
// both, delays them, cuts connections, and loses exactly the reply to a
// request that went through. It knows no protocol, so Redis, PostgreSQL and
// HTTP are all the same to it.
//
//	p := faultproxy.Start(t, server.Addr)
//	client := redis.NewClient(&redis.Options{Addr: p.Addr})
//	p.Lose("evalsha", 1) // the next script runs, and its reply never comes
//	p.Hold(faultproxy.Replies)
//	p.Pass(faultproxy.Both)
//
// A held connection stays open, as in a partition: what is written to it is
// taken, and arrives late, in order, or never. New connections are accepted
// and held like the others.
package faultproxy

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Direction is which way bytes go.
type Direction uint8

const (
	Requests Direction = 1 << iota // from the client to the server
	Replies                        // from the server to the client
	Both     = Requests | Replies
)

// Proxy forwards every connection to its server. It is safe for concurrent
// use.
type Proxy struct {
	Addr string // where clients connect

	listener net.Listener
	pumps    sync.WaitGroup

	mu     sync.Mutex
	target string
	state  fault
	losses []loss
	lost   int
	conns  []*Conn // open ones, in the order of Conns
	closed bool
}

// fault is what is wrong with a connection, or with all.
type fault struct {
	held    Direction
	delay   map[Direction]time.Duration
	changed chan struct{} // closed when it changes
}

type loss struct {
	request []byte
	left    int
}

// Start starts a proxy in front of target that ends with the test.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), listener: l, target: target, state: newFault()}
	p.pumps.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = l.Close()
		p.Cut()
		p.pumps.Wait()
	})
	return p
}

func newFault() fault {
	return fault{delay: make(map[Direction]time.Duration), changed: make(chan struct{})}
}

// Hold keeps back what goes that way until Pass. What has been forwarded
// already arrives.
func (p *Proxy) Hold(d Direction) { p.change(&p.state, func(f *fault) { f.held |= d }) }

// Pass ends Hold. What was kept back goes on its way, in order.
func (p *Proxy) Pass(d Direction) { p.change(&p.state, func(f *fault) { f.held &^= d }) }

// Delay lets each piece go on its way only that long after it came; 0 ends it.
// A piece is read after the one before it has left.
func (p *Proxy) Delay(d Direction, by time.Duration) {
	p.change(&p.state, func(f *fault) {
		for _, one := range []Direction{Requests, Replies} {
			if d&one != 0 {
				f.delay[one] = by
			}
		}
	})
}

func (p *Proxy) change(f *fault, how func(*fault)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how(f)
	close(f.changed)
	f.changed = make(chan struct{})
}

// Cut resets every connection that is open. New ones work.
func (p *Proxy) Cut() {
	for _, c := range p.Conns() {
		c.Cut()
	}
}

// Redirect resets every open connection and has new ones go to another
// server, as an address does that moves with the master.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
	p.Cut()
}

// Lose has the next n requests that contain the given bytes go through, and
// cuts the connection when the reply to one begins to come: the request was
// carried out and the client cannot know. It relies on clients that send
// nothing before the reply to the last request, and on requests whose first
// piece contains the bytes.
func (p *Proxy) Lose(request string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses = append(p.losses, loss{[]byte(request), n})
}

// Lost returns how many replies have been lost by Lose, so that a test can
// make sure that there were some.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Conns returns the open connections, in the order in which they reached the
// server.
func (p *Proxy) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed with the test
		}
		p.pumps.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		_ = client.Close() // as if nothing listened
		return
	}
	c := &Conn{p: p, client: client.(*net.TCPConn), server: server.(*net.TCPConn), gone: make(chan struct{}), state: newFault()}
	p.mu.Lock()
	p.conns = append(p.conns, c)
	late := p.closed || p.target != target // to be cut with the others
	p.mu.Unlock()
	if late {
		c.Cut()
	}
	p.pumps.Go(func() { c.pump(Replies, c.server, c.client) })
	c.pump(Requests, c.client, c.server)
}

// doom reports whether the reply to this request shall be lost.
func (p *Proxy) doom(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, l := range p.losses {
		if l.left > 0 && bytes.Contains(request, l.request) {
			p.losses[i].left--
			return true
		}
	}
	return false
}

// Conn is one client's connection.
type Conn struct {
	p              *Proxy
	client, server *net.TCPConn
	cut            sync.Once
	gone           chan struct{}

	// under p.mu
	state   fault
	opening []byte
	ended   Direction
	doomed  bool
}

// openingSize is how much of what a client sends first is kept.
const openingSize = 4 << 10

// Opening returns the first 4 KiB that the client sent, which show whether it is a
// subscription.
func (c *Conn) Opening() string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return string(c.opening)
}

// Hold is [Proxy.Hold] for this connection.
func (c *Conn) Hold(d Direction) { c.p.change(&c.state, func(f *fault) { f.held |= d }) }

// Pass is [Proxy.Pass] for this connection. What the proxy holds stays held.
func (c *Conn) Pass(d Direction) { c.p.change(&c.state, func(f *fault) { f.held &^= d }) }

// Cut resets the connection, to both sides.
func (c *Conn) Cut() {
	c.cut.Do(func() {
		close(c.gone)
		for _, side := range []*net.TCPConn{c.client, c.server} {
			_ = side.SetLinger(0) // a reset, and nothing that is still under way
			_ = side.Close()
		}
		c.p.mu.Lock()
		defer c.p.mu.Unlock()
		c.p.conns = slices.DeleteFunc(c.p.conns, func(o *Conn) bool { return o == c })
	})
}

// pump forwards one direction until either side is gone.
func (c *Conn) pump(d Direction, from, to *net.TCPConn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !c.take(d, buf[:n]) || !c.let(d, time.Now()) {
				c.Cut()
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				c.Cut()
				return
			}
		}
		switch {
		case err == nil:
		case !c.let(d, time.Now()) || to.CloseWrite() != nil || c.end(d):
			c.Cut()
			return
		default:
			return // the other direction goes on
		}
	}
}

// end reports whether both directions have ended.
func (c *Conn) end(d Direction) bool {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.ended |= d
	return c.ended == Both
}

// take looks at a piece that has come, and reports whether it may go on.
func (c *Conn) take(d Direction, piece []byte) bool {
	if d == Requests {
		doomed := c.p.doom(piece)
		c.p.mu.Lock()
		defer c.p.mu.Unlock()
		c.doomed = c.doomed || doomed
		c.opening = append(c.opening, piece[:min(len(piece), openingSize-len(c.opening))]...)
		return true
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.doomed {
		c.p.lost++
	}
	return !c.doomed
}

// let returns true when a piece that came at that time may be forwarded, and
// false when the connection is cut before that.
func (c *Conn) let(d Direction, came time.Time) bool {
	for {
		c.p.mu.Lock()
		held := (c.state.held|c.p.state.held)&d != 0
		wait := time.Until(came.Add(c.p.state.delay[d]))
		all, own := c.p.state.changed, c.state.changed
		c.p.mu.Unlock()
		var late <-chan time.Time
		switch {
		case held:
		case wait > 0:
			late = time.After(wait)
		default:
			select {
			case <-c.gone:
				return false
			default:
				return true
			}
		}
		select {
		case <-all:
		case <-own:
		case <-late:
		case <-c.gone:
			return false
		}
	}
}
