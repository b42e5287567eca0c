// SPDX-License-Identifier: MIT

package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed survivors.txt
var list string

// survivors reads the list of those that no test can kill: the reason of each
// by the mutant's name.
func survivors(list string) (map[string]string, error) {
	reasons := make(map[string]string)
	for n, line := range strings.Split(strings.TrimSpace(list), "\n") {
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		part := strings.Split(line, "\t")
		if len(part) != 3 || part[2] == "" {
			return nil, fmt.Errorf("survivors.txt:%d has not file, changed line and reason, with a tab between", n+1)
		}
		reasons[part[0]+"\t"+part[1]] = part[2]
	}
	return reasons, nil
}
