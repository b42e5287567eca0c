// SPDX-License-Identifier: MIT

//go:build !linux

package auditbench

import "os"

func datasync(f *os.File) error { return f.Sync() }
