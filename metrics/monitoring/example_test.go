// SPDX-License-Identifier: MIT

package monitoring_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/metrics/monitoring"
)

func ExampleExport() {
	dir, err := os.MkdirTemp("", "monitoring-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if _, err := monitoring.Export(dir, monitoring.Options{}); err != nil {
		panic(err)
	}
	rules, err := filepath.Glob(filepath.Join(dir, "alerts", "lock*"))
	fmt.Println(filepath.Base(rules[0]), err)
	// Output: lock.yml <nil>
}

func ExampleFiles() {
	book, err := fs.ReadFile(monitoring.Files(), "runbooks/LockLeaseLost.md")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.15s", book)
	// Output: # LockLeaseLost
}
