// SPDX-License-Identifier: MIT

package auditfaults

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
)

func TestEveryCellOfTheFeatureTableNamesWhatExists(t *testing.T) {
	bench.Cells(t, document, []string{"../../../audit", "../../../lock", "../../integration", "../../spool"}, kinds[1].module, kinds[2].module)
}
