// SPDX-License-Identifier: MIT

//go:build !linux

package testproc

import "os/exec"

// dieWithParent does nothing where the kernel offers no such thing.
func dieWithParent(*exec.Cmd) {}
