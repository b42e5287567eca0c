// SPDX-License-Identifier: MIT

package testproc

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the child when the test binary is gone,
// so that a timed-out or killed test leaves no server behind.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
