// SPDX-License-Identifier: MIT

//go:build darwin || freebsd || linux

package spool

import (
	"math"
	"syscall"
)

func free(dir string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return math.MaxInt64
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
