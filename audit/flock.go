// SPDX-License-Identifier: MIT

//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package audit

import (
	"errors"
	"syscall"
)

// lock locks an open file until it is closed. A file system without locks does
// not lock.
func lock(f file) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errors.New("another process or JSONLines writes to the file")
		default:
			return nil
		}
	}
}
