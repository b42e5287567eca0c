// SPDX-License-Identifier: MIT

package lockbench

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
)

func TestEveryCellOfTheFeatureTableNamesWhatExists(t *testing.T) {
	bench.Cells(t, "../../../docs/features/lock.md", []string{"../../../lock", "../../../metrics", "../../integration"},
		"github.com/go-redsync/redsync/v4", "github.com/bsm/redislock", "", "")
}
