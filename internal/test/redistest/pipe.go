// SPDX-License-Identifier: MIT

package redistest

import (
	"net"
	"sync"
)

// queued lets writes to a [net.Pipe] return at once. A pipe has no buffer: a
// client that is still writing a pipeline and a server that already answers it
// would wait for each other.
type queued struct {
	net.Conn
	mu     sync.Mutex
	wake   *sync.Cond
	queue  []byte
	err    error // why nothing can be written any more
	closed bool
}

func newQueued(conn net.Conn) *queued {
	q := &queued{Conn: conn}
	q.wake = sync.NewCond(&q.mu)
	go q.send()
	return q
}

// send writes what is queued until the connection fails or is closed.
func (q *queued) send() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.queue) == 0 && !q.closed {
			q.wake.Wait()
		}
		if q.closed || q.err != nil {
			return
		}
		next := q.queue
		q.queue = nil
		q.mu.Unlock()
		_, err := q.Conn.Write(next)
		q.mu.Lock()
		q.err = err
	}
}

func (q *queued) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return 0, q.err
	}
	q.queue = append(q.queue, b...)
	q.wake.Signal()
	return len(b), nil
}

func (q *queued) Close() error {
	q.mu.Lock()
	q.closed = true
	q.wake.Signal()
	q.mu.Unlock()
	return q.Conn.Close()
}
