// SPDX-License-Identifier: MIT

package configerr

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestAProblemSaysWhereWhatAndWhatIsWanted(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{time.Microsecond, "lock: Config.X is 1µs, want more"},
		{-1, "lock: Config.X is -1, want more"},
		{nil, "lock: Config.X is nil, want more"},
		{"", `lock: Config.X is "", want more`},
		{"a\x1b[31m\n", `lock: Config.X is "a\x1b[31m\n", want more`},
		{"\xff", `lock: Config.X is "\xff", want more`},
		{struct{ Calls int }{3}, "lock: Config.X is {Calls:3}, want more"},
	} {
		if got := Text("lock", "Config.X", c.value, "more"); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

func TestALongValueIsCut(t *testing.T) {
	for _, value := range []any{strings.Repeat("x", 1<<20), strings.Repeat("\x00", 1000), strings.Repeat("ü", 1000), make([]int, 1000)} {
		got := Text("lock", "Config.X", value, "less")
		if len(got) > 400 || !strings.HasSuffix(got, "…, want less") {
			t.Errorf("%d bytes: %.300s", len(got), got)
		}
	}
}
