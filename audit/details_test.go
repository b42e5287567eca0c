// SPDX-License-Identifier: MIT

package audit

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

type secret struct{}

func (secret) LogValue() slog.Value { return slog.StringValue("redacted") }

func TestFieldsWritesEachKindAsDocumented(t *testing.T) {
	at := time.Date(2026, 12, 11, 13, 0, 0, 123456789, time.FixedZone("east", 3600))
	for want, attr := range map[string]slog.Attr{
		`{"k":"text"}`:                        slog.String("k", "text"),
		`{"k":-7}`:                            slog.Int("k", -7),
		`{"k":18446744073709551615}`:          slog.Uint64("k", math.MaxUint64),
		`{"k":0.5}`:                           slog.Float64("k", 0.5),
		`{"k":1e+30}`:                         slog.Float64("k", 1e30),
		`{"k":"NaN"}`:                         slog.Float64("k", math.NaN()),
		`{"k":true}`:                          slog.Bool("k", true),
		`{"k":"1.5s"}`:                        slog.Duration("k", 1500*time.Millisecond),
		`{"k":"2026-12-11T12:00:00.123456Z"}`: slog.Time("k", at),
		`{"k":{"a":1,"b":2}}`:                 slog.Group("k", "a", 1, "b", 2),
		`{"a":1,"b":2}`:                       slog.Group("", "a", 1, "b", 2),
		`{"k":"down"}`:                        slog.Any("k", errDown),
		`{"k":"redacted"}`:                    slog.Any("k", secret{}),
		`{"k":[1,2]}`:                         slog.Any("k", []int{1, 2}),
		`{"k":null}`:                          slog.Any("k", nil),
		`{"k":"!ERROR: a func() cannot be JSON"}`: slog.Any("k", func() {}),
		`{}`:                          {},
		`{"k":"\"\\\u000a\u007f� �"}`: slog.String("k", "\"\\\n\x7f\x00 \xff"),
	} {
		d := Fields(attr)
		if d.String() != want || !json.Valid([]byte(d.String())) {
			t.Errorf("got %s, want %s", d, want)
		}
	}
	if d := Fields(slog.Int("a", 1), slog.Attr{}, slog.Group("g"), slog.Int("b", 2)); d.String() != `{"a":1,"g":{},"b":2}` {
		t.Errorf("several: %s", d)
	}
	if d := Fields(slog.Any("err", (*fs.PathError)(nil))); d.String() != `{"err":"!ERROR: a *fs.PathError has no text"}` {
		t.Errorf("an error that panics: %s", d)
	}
	if !Fields().IsZero() {
		t.Error("no attributes are some details")
	}
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("canary") }

type fails struct{}

func (fails) MarshalJSON() ([]byte, error) { return nil, errors.New("canary") }

func TestJSONKeepsWhatItCanAndNamesTheRest(t *testing.T) {
	type booking struct {
		Room string
		Call func()
	}
	cycle := map[string]any{}
	cycle["self"] = cycle
	for want, v := range map[string]any{
		`{"Nights":3}`:                          struct{ Nights int }{3},
		``:                                      map[string]string(nil),
		`{"value":7}`:                           7,
		`{"value":"text"}`:                      "text",
		`{"value":[1,2]}`:                       []int{1, 2},
		`{"n":1,"zero":null}`:                   map[string]any{"zero": nil, "n": 1},
		`{"!ERROR":"a func() cannot be JSON"}`:  func() {},
		`{"!ERROR":"a float64 cannot be JSON"}`: math.NaN(),
		`{"!ERROR":"a audit.booking cannot be JSON: it has a func()"}`:        booking{Room: "101"},
		`{"!ERROR":"a audit.panics cannot be JSON"}`:                          panics{},
		`{"!ERROR":"a audit.fails cannot be JSON"}`:                           fails{},
		`{"call":"!ERROR: a func() cannot be JSON","nan":"NaN","room":"101"}`: map[string]any{"room": "101", "call": func() {}, "nan": math.NaN()},
		`{"self":"!ERROR: a map[string]interface {} cannot be JSON"}`:         cycle,
	} {
		if d := JSON(v); d.String() != want || want != "" && !json.Valid([]byte(want)) {
			t.Errorf("%T is\n%s, want\n%s", v, d, want)
		}
	}
}

func TestDetailsThatBreakQueriesAreMended(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"\u0000"}`:              `{"a":"\ufffd"}`,
		`{"a\u0000b":{"c":"\u0000"}}`: `{"a\ufffdb":{"c":"\ufffd"}}`,
		`{"a":"\\u0000"}`:             `{"a":"\\u0000"}`,
		`{"a":"\\\u0000"}`:            `{"a":"\\\ufffd"}`,
		`{"a":"\ud800"}`:              `{"a":"\ufffd"}`,
		`{"a":"\uDC00x"}`:             `{"a":"\ufffdx"}`,
		`{"a":"\ud83d\ude00"}`:        `{"a":"\ud83d\ude00"}`,
		`{"a":"\ud83d\ud83d\ude00"}`:  `{"a":"\ufffd\ud83d\ude00"}`,
		`{"a":"\ud83d\n"}`:            `{"a":"\ufffd\n"}`,
		`{"a":"\ude00\ud83d"}`:        `{"a":"\ufffd\ufffd"}`,
		`{"a":"\u00e9 \t"}`:           `{"a":"\u00e9 \t"}`,
	} {
		for name, d := range map[string]Details{"ParseDetails": parse(t, text), "RawMessage": JSON(json.RawMessage(text))} {
			if got := frozenEvents(t, Event{Type: "ok", Details: d})[0].Details.String(); got != want {
				t.Errorf("%s: %s is stored as %s, want %s", name, text, got, want)
			}
		}
	}
	invalid := Fields(slog.Any("a", json.RawMessage("\"x\xff\"")))
	if got := frozenEvents(t, Event{Type: "ok", Details: invalid})[0].Details.String(); got != `{"a":"x\ufffd"}` && got != "{\"a\":\"x\uFFFD\"}" {
		t.Errorf("invalid UTF-8 is stored as %q", got)
	}
}

func TestGetReadsExactly(t *testing.T) {
	d := Fields(slog.Uint64("fence", math.MaxUint64), slog.String("who", "ana"), slog.Any("none", nil))
	if v, ok := d.Get("fence"); !ok || v != json.Number("18446744073709551615") {
		t.Errorf("fence %v", v)
	}
	if v, ok := d.Get("none"); !ok || v != nil {
		t.Errorf("none %v, %v", v, ok)
	}
	if _, ok := d.Get("missing"); ok {
		t.Error("a missing field was found")
	}
	if _, ok := (Details{}).Get("any"); ok {
		t.Error("no details have a field")
	}
}

func TestDetailsMarshalAsThemselves(t *testing.T) {
	var d Details
	if text, err := json.Marshal(d); err != nil || string(text) != "{}" {
		t.Errorf("%s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"z":1,"a":1e3}`), &d); err != nil || d.String() != `{"z":1,"a":1e3}` {
		t.Errorf("%s, %v", d, err)
	}
	if err := json.Unmarshal([]byte("null"), &d); err != nil || d.IsZero() {
		t.Errorf("null: %s, %v", d, err)
	}
	if err := json.Unmarshal([]byte("[]"), &d); !errors.Is(err, ErrInvalid) {
		t.Errorf("a list: %v, want ErrInvalid", err)
	}
	if d, err := ParseDetails(""); err != nil || !d.IsZero() {
		t.Errorf("no text: %s, %v", d, err)
	}
}

func FuzzParseDetails(f *testing.F) {
	f.Add(`{"a":1,"a":[{}]}`)
	f.Add("\n{ }")
	f.Add(`[1]`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDetails(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			return
		}
		if d.String() != text {
			t.Errorf("%q came back as %q", text, d)
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); text != "" && err != nil {
			t.Errorf("%q is taken for an object: %v", text, err)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add("key", "a \x00 \xff \" value")
	f.Add("\xf7\xe6", "0")
	f.Fuzz(func(t *testing.T, key, value string) {
		d := Fields(slog.String(key, value), slog.Any("any", []string{key, value}))
		if text := d.String(); !json.Valid([]byte(text)) || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n\r") {
			t.Fatalf("%q is not one line of JSON", text)
		}
		if got, ok := d.Get(safe(key)); key != "any" && (!ok || got != safe(value)) {
			t.Errorf("%q came back as %q", value, got)
		}
	})
}
