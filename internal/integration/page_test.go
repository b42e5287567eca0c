// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// One browser and one build serve all journeys; each has a hotel of its own.
func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	browser, bot := startBrowser(t), buildBot(t)
	for _, journey := range []struct {
		name string
		run  func(*testing.T, context.Context, string)
	}{
		{"a guest books", aGuestBooks},
		{"two tabs cannot have the same night", twoTabsConflict},
		{"a hold is extended up to the limit", extendToTheLimit},
		{"the PMS breaks and heals", breakAndHeal},
		{"the audit database goes and comes back, and nothing is lost", auditDownAndUp},
		{"a row changed behind the trail's back is named", aRowIsChanged},
		{"a corrupted conversation is removed and counted", corruptAConversation},
		{"a thousand guests come, and the page answers throughout", aThousandGuests},
		{"the first screen has the three steps", threeSteps},
		{"what a part does not answer is shown as it was", partsDown},
		{"a tab that no one looks at has no stream", hiddenTab},
		{"a visitor stays who they were", aVisitorStays},
		{"the page is whole without JavaScript", withoutJavaScript},
		{"the page speaks Spanish", inSpanish},
		{"a phone is wide enough", onAPhone},
		{"a keyboard is enough", withAKeyboard},
		{"what guests write stays text", scriptStaysText},
		{"everything has a name and can be read, by day and by night", namesAndContrast},
		{"the page weighs little", weight},
		{"the picture is taken when asked for", picture},
	} {
		t.Run(journey.name, func(t *testing.T) {
			t.Parallel()
			address, _ := openHotel(t, bot)
			journey.run(t, browser, address)
		})
	}
	t.Run("the stream comes back after a restart", func(t *testing.T) {
		t.Parallel()
		reconnect(t, browser, bot)
	})
}

func aGuestBooks(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.say("hold room 101 for 2 nights from tomorrow")
	p.reads("chat", "I hold room 101")
	p.until(`document.querySelectorAll("#r101 .held.mine").length === 2`)
	p.until(`/^[45]:\d\d$/.test(document.querySelector("#r101 .held time").innerText)`)
	p.press(".chips button[value=book]")
	p.reads("chat", "Your reference is HF-")
	p.until(`document.querySelectorAll("#r101 .booked.mine").length === 2`)
	trace := eval[string](p, `[...document.querySelectorAll(".trace")].at(-1).innerText`)
	for _, want := range []string{"intent book", "breaker closed", "PMS ", " ms", "lock released", "audit 2 #"} {
		if !strings.Contains(trace, want) {
			t.Errorf("the trace is %q, without %q", trace, want)
		}
	}
	p.reads("audit", "booking.confirmed")
	p.reads("sessions", "1 alive")
}

func twoTabsConflict(t *testing.T, browser context.Context, address string) {
	ana := openTab(t, browser, address+"/?guest=ana", desktop)
	ben := openTab(t, browser, address+"/?guest=ben", desktop)
	ana.live()
	ben.live()
	ana.press("#r102 td:nth-child(4) button")
	ana.reads("chat", "I hold room 102")
	ben.until(`document.querySelector("#r102 td:nth-child(4) button").className === "held"`)
	ben.press("#r102 td:nth-child(4) button")
	ben.reads("chat", "another guest is holding room 102")
	ana.until(`document.querySelector("#r102 .clash")`) // seen by all, for a moment
	ana.until(`!document.querySelector("#r102 .clash")`)
	ana.say("book")
	ana.reads("chat", "Booked: room 102")
	ben.until(`document.querySelector("#r102 td:nth-child(4) button").className === "booked"`)
	ben.reads("audit", "lock.conflict")
}

func extendToTheLimit(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.say("hold room 101 for a night from tomorrow")
	p.reads("chat", "I hold room 101")
	for range 3 {
		p.press(".chips button[value=extend]")
	}
	p.until(text("chat") + `.split("stays yours").length === 4`)
	p.press(".chips button[value=extend]")
	p.reads("chat", "cannot extend the hold on room 101 any further")
	p.reads("chat", "limit reached")
	p.reads("audit", "lock.max_reached")
}

func breakAndHeal(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.press("#switches button[value=failing]")
	p.until(`document.querySelector("#switches [value=failing]").ariaPressed === "true"`)
	p.say("hold room 101 for a night from tomorrow")
	p.reads("chat", "not answering. I keep room 101")
	for range 2 {
		p.press(".chips button[value=book]")
	}
	p.reads("breaker", "open")
	p.reads("breaker", "tries again in")
	p.reads("breaker", "Opened by 3 failures in a row.")
	p.press(".chips button[value=book]")
	p.reads("chat", "not asked")
	p.press("#switches button[value=healthy]")
	p.reads("breaker", "half-open")
	p.reads("breaker", "Send a message: it is the probe.")
	p.press(".chips button[value=book]")
	p.reads("chat", "Booked: room 101")
	p.reads("breaker", "closed")
}

func auditDownAndUp(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.press("#switches button[name=audit][value=down]")
	p.reads("audit", "The database is down")
	p.say("book room 101 for a night from tomorrow")
	p.reads("chat", "Booked: room 101")
	p.reads("audit", "3 recorded, 0 written, 3 waiting, 0 dropped")
	p.press("#switches button[name=audit][value=up]")
	p.reads("audit", "3 recorded, 3 written, 0 waiting, 0 dropped")
	p.reads("audit", "booking.confirmed")
}

func corruptAConversation(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.say("hello")
	p.reads("sessions", "1 alive")
	p.press("#sessions button[value=ana]")
	p.reads("sessions", "1 corrupted")
	p.reads("chat", "Say what you need")
	p.press("#sessions button[formaction]")
	p.reads("sessions", "0 alive")
}

func aThousandGuests(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.press("#storm button")
	p.reads("storm", "fighting")
	for _, word := range []string{"hello", "help"} { // a guest who is there already
		p.say(word)
	}
	p.until(`document.querySelectorAll("#chat .bot").length === 2`)
	if !eval[bool](p, text("storm")+`.includes("fighting")`) {
		t.Log("the storm was over before the guest was answered")
	}
	p.until(`document.querySelector("#storm .big .bad")?.innerText.match(/\d/)`)
	doubles := eval[[]string](p, `[...document.querySelectorAll("#storm .big td")].map((e) => e.innerText)`)
	if len(doubles) != 2 || doubles[0] != "0" || doubles[1] == "0" {
		t.Errorf("double bookings with and without locks: %v", doubles)
	}
	errors := eval[string](p, `[...document.querySelectorAll("#storm tr")].find((r) => r.innerText.startsWith("errors")).cells[1].innerText`)
	if errors != "0" {
		t.Errorf("%s errors", errors)
	}
}

// picture takes the README's screenshot, and leaves it where
// HOLDFAST_SCREENSHOT says.
func picture(t *testing.T, browser context.Context, address string) {
	path := os.Getenv("HOLDFAST_SCREENSHOT")
	if path == "" {
		return
	}
	p := openTab(t, browser, address, desktop)
	p.live()
	p.say("book room 101 for 2 nights from tomorrow")
	p.reads("chat", "Booked")
	p.press("#r102 td:nth-child(4) button")
	p.reads("chat", "I hold room 102")
	for _, stay := range []string{"room 103 for 3 nights from tomorrow", "room 105 for 2 nights from today"} {
		eval[any](p, `fetch("/message", {method: "POST", redirect: "manual", body: new URLSearchParams({guest: "carla", text: "hold `+stay+`"})}).then(() => "")`)
	}
	p.press("#storm button")
	p.until(`document.querySelector("#storm .big .bad")?.innerText.match(/\d/)`)
	p.say("book room 105 for 1 night from tomorrow")
	p.reads("chat", "Sorry")
	p.do(chromedp.EmulateViewport(desktop, 1120), chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(), scrollTo(0, 0)`))
	if err := os.WriteFile(path, run(p, chromedp.CaptureScreenshot()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// noScript has pages of the tab run no script.
func noScript(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
	_, err = cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return none, err
}

func withoutJavaScript(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop, noScript)
	p.static = true
	p.say("hold room 101 for a night from tomorrow")
	p.reads("chat", "I hold room 101")
	p.until(`document.querySelector("#r101 .held.mine")`)
	p.until(`document.getElementById("live").innerText === ""`)
	p.press("#switches button[value=failing]")
	p.until(`document.querySelector("#switches [value=failing]").ariaPressed === "true"`)
	p.reads("audit", "lock.acquired")
	p.press("#sessions button[value=ana]")
	p.reads("chat", "Say what you need")
}

func inSpanish(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.press("nav a[hreflang=es]")
	p.until(`document.documentElement.lang === "es"`)
	p.reads("live", "en vivo")
	p.say("reservar la habitación 101 por 2 noches desde mañana")
	p.reads("chat", "Reservada: habitación 101")
	p.reads("chat", "intención reservar")
	p.reads("breaker", "cerrado")
	p.press("#r103 td:nth-child(5) button")
	p.reads("chat", "Le guardo la habitación 103")
	if left := eval[string](p, `document.body.innerText.match(/\b(booked|held|breaker|answered|alive|waiting|dropped|running)\b/)?.[0] ?? ""`); left != "" {
		t.Errorf("the Spanish page says %q", left)
	}
}

func onAPhone(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, phone)
	p.live()
	p.say("hold room 101 for a night from tomorrow")
	p.reads("chat", "I hold room 101")
	if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("the page is %d px wider than the phone", over)
	}
	small := eval[[]string](p, `[...document.querySelectorAll("button, input:not([type=hidden])")]
		.filter((e) => { const r = e.getBoundingClientRect(); return r.width < 24 || r.height < 24 }).map((e) => e.outerHTML)`)
	if len(small) > 0 {
		t.Errorf("%d things are too small for a finger, such as %s", len(small), small[0])
	}
}

func withAKeyboard(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	keys := func(k string) { t.Helper(); p.do(chromedp.KeyEvent(k)) }
	tabTo := func(selector string) {
		t.Helper()
		for range 60 {
			if eval[bool](p, `document.activeElement.matches(`+"`"+selector+"`"+`)`) {
				return
			}
			keys(kb.Tab)
		}
		t.Fatalf("Tab does not lead to %s", selector)
	}
	tabTo("#switches [value=slow]") // the steps are in order
	if ring := eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`); ring == "none" {
		t.Error("one cannot see what has the focus")
	}
	keys(" ")
	p.until(`document.activeElement.matches("#switches [value=slow][aria-pressed=true]")`)
	p.press("#switches [value=healthy]")
	p.do(chromedp.Reload())
	p.live()
	keys(kb.Tab)
	keys(kb.Enter) // "Skip to the chat"
	tabTo("#say")
	keys("hold room 101 for a night from tomorrow" + kb.Enter)
	p.reads("chat", "I hold room 101")
	tabTo("#calendar button")
	keys(kb.ArrowDown)
	keys(kb.ArrowDown)
	keys(kb.ArrowRight)
	if !eval[bool](p, `document.activeElement === document.querySelector("#r103 td:nth-child(3) button")`) {
		t.Errorf("the arrows lead to %s", eval[string](p, `document.activeElement.outerHTML`))
	}
	keys(kb.Enter)
	p.reads("chat", "I hold room 103")
	p.until(`document.activeElement.matches("#r103 .held.mine")`) // it was replaced, and keeps the focus
}

func scriptStaysText(t *testing.T, browser context.Context, address string) {
	const evil = `<script>window.broken=1</script><img src=x onerror="window.broken=1">`
	p := openTab(t, browser, address+"/?guest=%3Cscript%3Ewindow.broken%3D1%3C%2Fscript%3E", desktop)
	p.live()
	p.say(evil)
	p.reads("chat", `<img src=x onerror="window.broken=1">`)
	p.say("hold room 101 for a night from tomorrow")
	p.reads("audit", "<script>")
	p.do(chromedp.Reload())
	p.reads("chat", "<script>window.broken=1</script>")
	if eval[bool](p, `"broken" in window || document.querySelectorAll("script").length !== 1 || document.images.length > 0`) {
		t.Error("what a guest wrote became part of the page")
	}
}

func namesAndContrast(t *testing.T, browser context.Context, address string) {
	p := openTab(t, browser, address, desktop)
	p.live()
	p.say("book room 101 for a night from tomorrow")
	p.reads("chat", "Booked")
	p.say("hold room 102 for a night from tomorrow")
	p.reads("chat", "I hold room 102")
	p.press("#switches button[value=failing]")
	p.say("hold room 104 for a night from tomorrow")
	p.reads("chat", "not answering")
	for _, when := range []string{"by day", "by night"} {
		if bad := eval[[]string](p, unreadable); len(bad) > 0 {
			t.Errorf("%s, hard to read: %q", when, bad)
		}
		p.do(dark)
	}
	tree := run(p, func(ctx context.Context, t *chromedp.Target) ([]*accessibility.Node, error) {
		all, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		return all.Nodes, err
	})
	seen := make(map[string]int)
	for _, node := range tree {
		if node.Ignored || node.Role == nil {
			continue
		}
		role, name := strings.Trim(string(node.Role.Value), `"`), ""
		if node.Name != nil {
			name = strings.Trim(string(node.Name.Value), `"`)
		}
		switch role {
		case "button", "link", "textbox", "region", "image", "heading", "progressbar", "progressIndicator", "group", "log", "form":
			if seen[role]++; name == "" && role != "form" && role != "group" {
				t.Errorf("a %s has no name: node %v", role, node.BackendDOMNodeID)
			}
		}
	}
	if seen["button"] < 280 || seen["region"] < 8 || seen["heading"] < 9 || seen["textbox"] == 0 || seen["log"] == 0 {
		t.Errorf("the page has only %v", seen)
	}
}

func reconnect(t *testing.T, browser context.Context, bot string) {
	file := t.TempDir() + "/audit.db"
	address, child := openHotel(t, bot, "-audit", "sqlite:"+file)
	p := openTab(t, browser, address, desktop)
	p.live()
	p.say("hold room 101 for a night from tomorrow")
	p.reads("chat", "I hold room 101")
	p.forgive("Failed to load resource: net::ERR_") // connections will be lost
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.reads("live", "reconnecting")
	p.say("hello")
	p.until(`document.querySelector(".chat .unsent").innerText.startsWith("Not sent")`)
	p.until(`document.getElementById("say").value === "hello"`) // to be sent later
	if err := child.Wait(); err != nil {
		t.Errorf("the bot ended with %v", err)
	}
	openHotelAt(t, bot, strings.TrimPrefix(address, "http://"), "-audit", "sqlite:"+file)
	p.live()
	p.reads("chat", "Say what you need") // the embedded Redis went with the bot
	p.reads("audit", "lock.acquired")    // the database did not
	p.say("")
	p.reads("chat", "Try:")
	p.until(`document.querySelector(".chat .unsent").innerText === ""`)
}
