// SPDX-License-Identifier: MIT

//go:build unix

package testproc

import "syscall"

// Suspend stops the process as SIGSTOP does: it does nothing at all until
// Resume, while its connections stay open and the kernel goes on to accept
// new ones and bytes for it. Kill works on a suspended process too.
func (c *Child) Suspend() { c.signal(syscall.SIGSTOP) }

// Resume ends Suspend.
func (c *Child) Resume() { c.signal(syscall.SIGCONT) }

func (c *Child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.Process.Signal(s); err != nil {
		c.t.Errorf("%s: %v", s, err)
	}
}
