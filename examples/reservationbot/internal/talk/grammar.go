// SPDX-License-Identifier: MIT

package talk

import "strings"

// grammar is what a message says apart from its verbs. At each token the first
// rule that fits is taken. A pattern names the classes of tokens: "|"
// separates alternatives, "?" marks what may be missing, and glue between the
// tokens is skipped. A number that no rule takes is a reason to ask.
var grammar = compile([]rule{
	{"reference", func(r *reader, t []token) { r.reference = "HF-" + strings.ToUpper(t[0].text[3:]) }},

	// Nights.
	{"room? for? decimal|pair NIGHTS|week|days", wholeNights},
	{"room? for? int|a half NIGHTS|week|days", wholeNights},
	{"room? for? int|a NIGHTS|week half", wholeNights},
	{"room? for? int pair NIGHTS", wholeNights},
	{"half a? NIGHTS|week", wholeNights},
	{"room? for? odd NIGHTS", func(r *reader, _ []token) { r.ask(Text.HowManyNights) }},
	{"in int|a days", func(r *reader, t []token) { r.day(t[1].n) }},
	{"in int|a week", func(r *reader, t []token) { r.day(7 * t[1].n) }},
	{"int|a week from weekday|relative", func(r *reader, t []token) { r.ask(Text.NeedDates) }}, // 7 nights, or 7 days later
	{"room? for? COUNT NIGHTS", func(r *reader, t []token) { r.stays(t[len(t)-2].n) }},
	{"room? for? int|a week", func(r *reader, t []token) { r.stays(7 * t[len(t)-2].n) }},
	{"room? for? int|a days", func(r *reader, t []token) { r.stays(t[len(t)-2].n); r.unsure = true }},
	{"COUNT more NIGHTS", func(r *reader, t []token) { r.stays(t[0].n); r.more, r.unsure = true, true }},
	{"weekend", func(r *reader, _ []token) { r.weekday(friday); r.stays(2); r.unsure = true }},

	// Dates.
	{"yearfirst", func(r *reader, t []token) { f := fields(t[0]); r.date(f[0], f[1], f[2], t) }},
	{"yearlast", func(r *reader, t []token) { f := fields(t[0]); r.eitherWay(f[0], f[1], f[2], t) }},
	{"room? DAY to|a DAY month stop? year?", span},
	{"room? DAY and DAY month stop? year?", func(r *reader, t []token) {
		r.unsure = r.unsure || !r.between // or both nights?
		span(r, t)
	}},
	{"room? pair month stop? year?", span},
	{"month stop? DAY to|a DAY stop? year?", span},
	{"month pair stop? year?", span},
	{"room? weekday? stop? DAY month stop? year?", single},
	{"weekday? stop? month stop? DAY stop? year?", single},
	{"decimal to decimal", func(r *reader, t []token) {
		for _, at := range []int{0, 2} {
			f := fields(t[at])
			r.dateNext, r.linked = true, at > 0
			r.eitherWay(f[0], f[1], 0, t[at:])
		}
	}},
	{"pair|decimal", func(r *reader, t []token) { f := fields(t[0]); r.eitherWay(f[0], f[1], 0, t) }},
	{"DAY to|a DAY", span},
	{"nth", single},
	{"next weekday", func(r *reader, t []token) { r.weekday(t[1].n); r.unsure = true }},
	{"weekday", func(r *reader, t []token) { r.weekday(t[0].n) }},
	{"relative", func(r *reader, t []token) { r.day([]int{0, 1, 2, -1}[t[0].n]) }},
	{"tonight", func(r *reader, _ []token) { r.day(0); r.night = true }},
	{"night", func(r *reader, _ []token) { r.night = true }},

	// Numbers of something else.
	{"clock|daytime", ignore},
	{"in int|a minutes", doubt},
	{"by? int|a minutes", ignore},
	{"for? COUNT people", ignore},
	{"room for int", ignore},
	{"age int|number", ignore},
	{"int age", ignore},
	{"price", doubt},
	{"COUNT money", doubt},

	// Rooms.
	{"room|rooms ROOM and|or|stop|to room? number", func(r *reader, t []token) { r.rooms = append(r.rooms, t[1].text, t[len(t)-1].text) }},
	{"room|rooms ROOM", func(r *reader, t []token) { r.rooms = append(r.rooms, t[1].text) }},
	{"book|hold|cancel|want|free|ask|and|or|in|yes|neg stop? number", func(r *reader, t []token) { r.rooms = append(r.rooms, t[len(t)-1].text) }},
	{"number", func(r *reader, t []token) { // "I take the 101"
		if r.unsure = true; len(t[0].text) == 3 && len(r.rooms) == 0 {
			r.rooms = append(r.rooms, t[0].text)
		}
	}},
	{"int room", func(r *reader, t []token) {
		if t[0].n != 1 {
			r.ask(Text.OneRoom)
		}
	}},
	{"int|many rooms", func(r *reader, _ []token) { r.ask(Text.OneRoom) }},
	{"many", func(r *reader, _ []token) { r.ask(Text.OneRoom) }},
	{"another", func(r *reader, _ []token) { r.another = true }},
	{"any", ignore},
	{"int", func(r *reader, t []token) {
		if r.unsure = true; r.dateNext {
			single(r, t)
		}
	}},
})

// classes are the short names in the patterns.
var classes = strings.NewReplacer(
	"NIGHTS", "night|nights",
	"DAY", "int|nth",
	"COUNT", "int|number|year|a",
	"ROOM", "int|number|year|odd|decimal",
)

// rule is a pattern and what the tokens that fit it say.
type rule struct {
	pattern string
	says    func(*reader, []token)
}

func ignore(*reader, []token)          {}
func doubt(r *reader, _ []token)       { r.unsure = true }
func wholeNights(r *reader, _ []token) { r.ask(Text.WholeNights) }

// calendar collects what the tokens say of one or two days of a month.
func calendar(t []token) (year, month int, days []int, weekday int) {
	for _, t := range t {
		switch t.class {
		case "int", "nth":
			days = append(days, t.n)
		case "pair":
			days = fields(t)
		case "month":
			month = t.n
		case "year":
			year = t.n
		case "weekday":
			weekday = t.n + 1
		}
	}
	return year, month, days, weekday
}

// span reads two days of one month, such as "12 to 15 December" or "12-15
// December".
func span(r *reader, t []token) {
	year, month, days, _ := calendar(t)
	r.date(year, month, days[0], t)
	r.linked = true
	r.date(year, month, days[1], t)
}

// single reads a day, such as "Friday, 12 December 2026".
func single(r *reader, t []token) {
	year, month, days, weekday := calendar(t)
	r.date(year, month, days[0], t)
	if n := len(r.dates); n > 0 && weekday > 0 {
		r.dates[n-1].weekday = weekday
	}
}

// pattern is a compiled rule.
type pattern struct {
	parts []part
	says  func(*reader, []token)
}

type part struct {
	classes  []string
	optional bool
}

func compile(rules []rule) (all []pattern) {
	for _, r := range rules {
		p := pattern{says: r.says}
		for _, word := range strings.Fields(classes.Replace(r.pattern)) {
			names, optional := strings.CutSuffix(word, "?")
			p.parts = append(p.parts, part{strings.Split(names, "|"), optional})
		}
		all = append(all, p)
	}
	return all
}
