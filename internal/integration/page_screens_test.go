// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// screens are the sizes that the page is made for.
var screens = [][2]int64{{1440, 900}, {1024, 768}, {phone, 844}}

func threeSteps(t *testing.T, browser context.Context, address string) {
	for _, lang := range []string{"en", "es"} {
		for _, before := range [][]action{nil, {noScript}} {
			p := openTab(t, browser, address+"/?lang="+lang, screens[0][0], before...)
			for _, size := range screens {
				p.do(chromedp.EmulateViewport(size[0], size[1]))
				where := fmt.Sprintf("%s, %d wide, script %t", lang, size[0], before == nil)
				if title := eval[string](p, `document.querySelector("h1").innerText`); !strings.Contains(title, "Go") || !eval[bool](p, `document.querySelector("h1 a").href.startsWith("https://github.com/")`) {
					t.Errorf("%s: the headline %q does not say what this is, or leads nowhere", where, title)
				}
				const needed = `["#storm button", "#storm tr.big", "#switches button", "#breaker .state", "#say"].map((s) => document.querySelector(s).getBoundingClientRect())`
				if size[0] > phone && !eval[bool](p, needed+`.every((r) => r.bottom <= innerHeight)`) {
					t.Errorf("%s: something needed is below the fold", where)
				}
				if size[0] == phone && !eval[bool](p, needed+`.every((r, i, all) => i === 0 || r.top >= all[i-1].top)`) {
					t.Errorf("%s: the steps are not in order", where)
				}
				if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("%s: the page is %d px too wide", where, over)
				}
				if bad := eval[[]string](p, unreadable); len(bad) > 0 {
					t.Errorf("%s: hard to read: %q", where, bad)
				}
			}
			if before == nil {
				if bad := axe(p); bad != "" {
					t.Errorf("%s: axe finds\n%s", lang, bad)
				}
			}
		}
	}
}

// axe returns what axe-core finds wrong with the page, when HOLDFAST_AXE says where
// its axe.min.js is.
func axe(p *tab) string {
	p.t.Helper()
	path := os.Getenv("HOLDFAST_AXE")
	if path == "" {
		return ""
	}
	script, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.do(chromedp.Evaluate[chromedp.Void](string(script) + "; undefined"))
	eval[string](p, `(axe.run().then((r) => { window.found = r.violations.map((v) => v.id + " " + v.nodes[0].html).join("\n") }), "")`)
	p.until(`"found" in window`)
	return eval[string](p, "window.found")
}

func partsDown(t *testing.T, browser context.Context, address string) {
	for _, before := range [][]action{nil, {noScript}} {
		for i, size := range screens {
			guest := fmt.Sprintf("guest%d%d", len(before), i)
			p := openTab(t, browser, address+"/?guest="+guest, size[0], before...)
			p.static = before != nil
			p.do(chromedp.EmulateViewport(size[0], size[1]))
			p.say("help")
			p.reads("chat", "Try:")
			p.press("#switches button[name=redis][value=down]")
			p.until(`["nights", "chat", "sessions"].every((id) => document.querySelector("#" + id + " .age time"))`)
			p.say("book room 104 for a night from tomorrow")
			p.reads("chat", "Something went wrong on our side")
			p.reads("chat", "Not remembered")
			p.reads("chat", "Try:")
			p.until(`document.querySelector("#r104 .booked")`) // by a guest of before
			if before == nil {
				if bad := axe(p); bad != "" {
					t.Errorf("%d wide: axe finds\n%s", size[0], bad)
				}
			}
			if bad := eval[[]string](p, unreadable); len(bad) > 0 {
				t.Errorf("%d wide: hard to read: %q", size[0], bad)
			}
			p.press("#switches button[name=redis][value=up]")
			p.until(`!document.querySelector(".age")`)
			p.say("help")
			p.until(text("chat") + `.split("Try:").length === 3`)
		}
	}
}

func aRowIsChanged(t *testing.T, browser context.Context, address string) {
	for _, before := range [][]action{nil, {noScript}} {
		p := openTab(t, browser, address, phone, before...)
		p.static = before != nil
		p.say("book room 101 for a night from tomorrow")
		p.reads("audit", "booking.confirmed")
		p.press("#seals button[value=changed]")
		p.reads("seals", "this row was changed after it was sealed")
		p.reads("audit", "not ana changed")
		if bad := eval[[]string](p, unreadable); len(bad) > 0 {
			t.Errorf("hard to read: %q", bad)
		}
		if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			t.Errorf("the page is %d px too wide", over)
		}
		if before == nil {
			if bad := axe(p); bad != "" {
				t.Errorf("axe finds\n%s", bad)
			}
		}
		p.press("#seals button[value=sealed]")
		p.reads("seals", "each as it was sealed")
	}
}

func hiddenTab(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	hide := func(hidden bool) {
		t.Helper()
		eval[any](p, fmt.Sprintf(`(Object.defineProperty(document, "hidden", {value: %t, configurable: true}), document.dispatchEvent(new Event("visibilitychange")), "")`, hidden))
	}
	hide(true)
	p.until(`stream.readyState === EventSource.CLOSED`)
	p.say("help")
	p.until(`document.getElementById("say").value === ""`)
	hide(false)
	p.reads("chat", "Try:")
	p.until(`stream.readyState === EventSource.OPEN`)
}

func aVisitorStays(t *testing.T, browser context.Context, address string) {
	own, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext()) // cookies do not know ports
	t.Cleanup(cancel)
	if err := chromedp.Do(own); err != nil {
		t.Fatal(err)
	}
	p := openTab(t, own, address, desktop)
	p.live()
	p.press("nav button[value=ben]")
	p.until(`location.search.includes("guest=ben")`)
	p.do(chromedp.Navigate(address + "/"))
	p.until(`document.querySelector("nav b").innerText === "ben"`)
	if eval[string](p, "document.cookie") != "" {
		t.Error("a script can read the cookie")
	}
}

// unreadable lists texts whose contrast is under WCAG's 4.5, or 3 when large.
const unreadable = `(() => {
	const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgb = (c) => { probe.clearRect(0, 0, 1, 1); probe.fillStyle = c; probe.fillRect(0, 0, 1, 1); return [...probe.getImageData(0, 0, 1, 1).data]; };
	const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
	const bad = [];
	for (const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walk.nextNode();) {
		const e = walk.currentNode.parentElement, s = getComputedStyle(e);
		if (!walk.currentNode.data.trim() || !e.checkVisibility() || ["SCRIPT", "STYLE"].includes(e.tagName)) continue;
		const [a, b] = [light(rgb(s.color).slice(0, 3)), light(behind(e).slice(0, 3))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(s.fontSize);
		if (ratio < (size >= 24 || size >= 18.66 && s.fontWeight >= 700 ? 3 : 4.5)) bad.push(ratio.toFixed(2) + " " + walk.currentNode.data.trim());
	}
	return [...new Set(bad)];
})()`

func weight(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	const sum = `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
		.filter((e) => !e.name.includes("/events")).reduce((n, e) => n + e.%s, 0)`
	plain := eval[int](p, strings.Replace(sum, "%s", "decodedBodySize", 1))
	sent := eval[int](p, strings.Replace(sum, "%s", "encodedBodySize", 1))
	t.Logf("%d bytes, of which %d are sent", plain, sent)
	if plain > 64_000 {
		t.Errorf("page, style and script have %d bytes, more than 64 kB", plain)
	}
}
