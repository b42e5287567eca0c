// SPDX-License-Identifier: MIT

package configerr

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
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

func TestOneErrorNamesAllProblemsInOrder(t *testing.T) {
	p := Collect(func(field string, value any, want string) error {
		return errors.New(Text("lock", field, value, want))
	})
	p.Want(true, "Config.A", 1, "anything")
	p.Add(nil)
	if err := p.Err(); err != nil {
		t.Errorf("without a problem: %v", err)
	}
	p.Want(false, "Config.B", 2, "less")
	p.Add(errors.New("lock: New needs a store"))
	want := "lock: Config.B is 2, want less\nlock: New needs a store"
	if err := p.Err(); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestOnlyZeroValuesGetTheDefault(t *testing.T) {
	zero, set := time.Duration(0), -time.Second
	Default(&zero, time.Minute)
	Default(&set, time.Minute)
	if zero != time.Minute || set != -time.Second {
		t.Errorf("%v and %v, want 1m and -1s", zero, set)
	}
}

func TestNilPointersAndFunctionsBehindInterfacesAreNil(t *testing.T) {
	var pointer *strings.Builder
	var function func()
	for _, v := range []any{nil, pointer, function} {
		if !IsNil(v) {
			t.Errorf("%T is said not to be nil", v)
		}
	}
	for _, v := range []any{0, "", struct{}{}, new(int), func() {}, []int(nil)} {
		if IsNil(v) {
			t.Errorf("%T is said to be nil", v)
		}
	}
}
