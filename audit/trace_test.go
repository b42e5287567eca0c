// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/spantest"
)

func TestEachTryToWriteIsASpanAroundItsSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen spantest.Recorder
		var within []string
		sink := sinkFunc(func(ctx context.Context, _ []Event) error {
			if within = append(within, spantest.Within(ctx)); len(within) == 1 {
				return errDown
			}
			return nil
		})
		l := newLog(t, sink, Config{Name: "trail", Trace: seen.Trace})
		mustRecord(t, l, 1)
		time.Sleep(time.Minute)
		mustClose(t, l)
		for _, in := range within {
			if in != "audit.write" {
				t.Errorf("the sink wrote within %q", within)
			}
		}
		write, failed := spantest.Span{Op: "audit.write", Name: "trail", Ends: 1}, spantest.Span{Op: "audit.write", Name: "trail", Ends: 1, Err: errDown}
		want := []spantest.Span{write, failed, write, {Op: "audit.close", Name: "trail", Ends: 1}, write}
		if got := seen.Take(); !reflect.DeepEqual(got, want) {
			t.Errorf("spans %+v, want %+v", got, want)
		}
	})
}

func TestAFlushThatIsRefusedIsASpanToo(t *testing.T) {
	var seen spantest.Recorder
	l := newLog(t, NewMemory(), Config{Name: "trail", Trace: seen.Trace})
	mustClose(t, l)
	seen.Take()
	err := l.Flush(t.Context())
	if got := seen.Take(); len(got) != 1 || got[0] != (spantest.Span{Op: "audit.flush", Name: "trail", Ends: 1, Err: err}) || !errors.Is(err, ErrClosed) {
		t.Errorf("%v, spans %+v", err, got)
	}
}

func TestATraceThatPanicsLosesNothing(t *testing.T) {
	m := NewMemory()
	l := newLog(t, m, Config{Trace: func(context.Context, string, string) (context.Context, func(error)) { panic("boom") }})
	mustRecord(t, l, 1)
	mustClose(t, l)
	if len(m.Events()) == 0 || l.Stats().ObserverPanics == 0 {
		t.Errorf("%d events stored, %d panics counted", len(m.Events()), l.Stats().ObserverPanics)
	}
}
