// SPDX-License-Identifier: MIT

package rediscall

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

func TestAScriptGetsHowOftenItWasSent(t *testing.T) {
	server := redistest.Real(t)
	proxy := faultproxy.Start(t, server.Addr)
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr})
	t.Cleanup(func() { _ = client.Close() })
	c, echo := New(client, nil), redis.NewScript(`return ARGV[1]`)
	tried := func(flush bool, lost int, want string) {
		t.Helper()
		if flush {
			server.Client(t).ScriptFlush(t.Context())
		}
		proxy.Lose("evalsha", lost)
		got, err := c.Run(t.Context(), echo, []string{"a"}, new(Tries))
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%d replies lost: %v, %v, want %s", lost, got, err, want)
		}
	}
	tried(true, 0, "1") // a server without the script has answered that it did nothing
	tried(false, 0, "1")
	tried(false, 1, "2")
	tried(false, 2, "3")
	tried(true, 1, "3") // the lost reply may have been another one
}
