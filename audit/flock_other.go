// SPDX-License-Identifier: MIT

//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package audit

func lock(file) error { return nil }
