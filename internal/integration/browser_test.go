// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// startBrowser starts a Chromium without a window. Without the binary the test
// is skipped, or fails when HOLDFAST_REQUIRE names chromium.
func startBrowser(t testing.TB) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(testproc.Find(t, "chromium", "chromium", "chromium-browser")),
		chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which root cannot have
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("stop chromium: %v", err)
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return ctx
}

// tab is a page in the browser. What its console complains of is an error of
// the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	static bool // the page runs no script: it is loaded again until it is as wanted

	mu       sync.Mutex
	heard    []string
	forgiven string
}

const desktop, phone = 1360, 390

type action = chromedp.Action[chromedp.Void]

// openTab opens the address in a new tab, so wide.
func openTab(t *testing.T, browser context.Context, address string, width int64, before ...action) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	p := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, complaint := range p.heard {
			t.Errorf("the console says: %s", complaint)
		}
	})
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(width, 900))
	p.do(before...)
	p.do(chromedp.Navigate(address))
	return p
}

func (p *tab) hear(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			complaint += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			complaint = fmt.Sprint(e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			complaint = e.Entry.Text + " " + e.Entry.URL
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if complaint != "" && (p.forgiven == "" || !strings.Contains(complaint, p.forgiven)) {
		p.heard = append(p.heard, complaint)
	}
}

// forgive passes over complaints with this text from now on: the test provokes
// them, and the browser may tell them late.
func (p *tab) forgive(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgiven = text
}

// patience bounds one step in the browser.
const patience = time.Minute

func run[T any](p *tab, a chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, a)
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

func (p *tab) do(actions ...action) {
	p.t.Helper()
	for _, a := range actions {
		run(p, a)
	}
}

// eval evaluates an expression of JavaScript.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	return run(p, chromedp.Evaluate[T](expression))
}

// until waits for an expression to be true, also across a new loading of the
// page.
func (p *tab) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	loaded := time.Now()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if ok {
			return
		}
		if p.static && time.Since(loaded) > 3*time.Second {
			_, _ = chromedp.Run(ctx, chromedp.Reload())
			loaded = time.Now()
		}
		if ctx.Err() != nil {
			p.t.Fatalf("%s does not come true: %v; the page says:\n%s", expression, err, eval[string](p, "document.body.innerText"))
		}
		_ = chromedp.Do(ctx, chromedp.Sleep(20*time.Millisecond))
	}
}

// text is an expression for the visible text of a section.
func text(id string) string { return "document.getElementById('" + id + "').innerText" }

// reads waits for a text in a section.
func (p *tab) reads(id, want string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%s.includes(%q)", text(id), want))
}

// live waits until events arrive.
func (p *tab) live() { p.t.Helper(); p.reads("live", "live") }

// say writes a message to the desk and sends it.
func (p *tab) say(message string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS("#say"), message+"\r"))
}

// press clicks the first element that the selector finds. The stream may replace the
// element between the two: then the new one is clicked.
func (p *tab) press(selector string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	click := chromedp.Click(chromedp.CSS(selector))
	_, err := chromedp.Run(ctx, click)
	for err != nil && strings.Contains(err.Error(), "Could not find node") {
		_, err = chromedp.Run(ctx, click)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// dark has pages of the tab look as at night.
func dark(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
	_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	return none, err
}

// openHotel starts a bot that serves the page, and returns its address.
func openHotel(t *testing.T, bot string, args ...string) (string, *testproc.Child) {
	t.Helper()
	addr := testproc.Addr(testproc.FreePort(t))
	return "http://" + addr, openHotelAt(t, bot, addr, args...)
}

func openHotelAt(t *testing.T, bot, addr string, args ...string) *testproc.Child {
	t.Helper()
	cmd := exec.Command(bot, append([]string{"-addr", addr}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir()) // a bot that is killed leaves its database there
	child := testproc.Start(t, cmd)
	testproc.Listening(t, addr)
	return child
}
