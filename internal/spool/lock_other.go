// SPDX-License-Identifier: MIT

//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package spool

import (
	"errors"
	"os"
)

func lock(string) (*os.File, error) {
	return nil, errors.New("this system has no locks of files")
}

func Flock(uintptr) error { return errors.ErrUnsupported }
