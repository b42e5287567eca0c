// SPDX-License-Identifier: MIT

//go:build unix

package testproc

import "syscall"

// Suspend stops the process as SIGSTOP does: it does nothing at all until
// Resume, while its connections stay open and the kernel goes on to accept
// new ones and bytes for it. Kill works on a suspended process too.
//
// On return all of its threads have stopped. On a busy machine some go on for a
// while after the signal was sent, until the one that takes it has its turn.
func (c *Child) Suspend() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	err := error(syscall.EINTR)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(c.Process.Pid, &status, syscall.WUNTRACED, nil)
	}
	if err != nil || !status.Stopped() {
		c.t.Errorf("suspend: %v, status %#x", err, status)
	}
}

// Resume ends Suspend.
func (c *Child) Resume() { c.signal(syscall.SIGCONT) }

func (c *Child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.Process.Signal(s); err != nil {
		c.t.Errorf("%s: %v", s, err)
	}
}
