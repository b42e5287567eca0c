// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// Two browsers of one user, over plain HTTP on loopback, as a developer tries
// it.
func TestALoginInTwoBrowsers(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	program := filepath.Join(t.TempDir(), "login")
	if out, err := exec.Command("go", "build", "-o", program, "../../examples/login").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	addr := testproc.Addr(testproc.FreePort(t))
	testproc.Start(t, exec.Command(program, "-addr", addr))
	testproc.Listening(t, addr)
	site := "http://" + addr

	laptop := openTab(t, browser, site, desktop)
	other, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(other); err != nil {
		t.Fatalf("another browser: %v", err)
	}
	phone := openTab(t, other, site, phone)
	enter := func(p *tab, button string) {
		t.Helper()
		p.do(chromedp.SendKeys(chromedp.CSS("[name=name]"), "ann"), chromedp.SendKeys(chromedp.CSS("[name=password]"), "correct horse"))
		p.press(button)
		p.reads("who", "You are ann.")
	}
	enter(laptop, "#register")
	if eval[string](laptop, "document.cookie") != "" {
		t.Error("a script can read the cookie")
	}
	enter(phone, "#login")
	laptop.do(chromedp.Navigate(site))
	laptop.until("document.querySelectorAll('#devices li').length == 2")

	laptop.press("#elsewhere")
	laptop.until("document.querySelectorAll('#devices li').length == 1")
	phone.do(chromedp.Navigate(site))
	phone.reads("who", "You are not logged in.")

	laptop.press("#logout")
	laptop.reads("who", "You are not logged in.")
	eval[bool](laptop, "(window.here = true, history.go(-2), true)")
	laptop.until("!window.here")
	laptop.reads("who", "You are not logged in.")
}
