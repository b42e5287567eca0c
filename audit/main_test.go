// SPDX-License-Identifier: MIT

package audit

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
