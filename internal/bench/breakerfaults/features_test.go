// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
)

func TestEveryCellOfTheFeatureTableNamesWhatExists(t *testing.T) {
	bench.Cells(t, document, []string{"../../../circuitbreaker", "../../../metrics", "../../integration"},
		breakers[1].module, breakers[2].module, "", "")
}
