// SPDX-License-Identifier: MIT

package audit

import (
	"encoding/json"
	"errors"
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
		`{"k":["\ufffd\\u0000"]}`:     slog.Any("k", []string{"\x00\\u0000"}),
	} {
		d := Fields(attr)
		if d.String() != want || !json.Valid([]byte(d.String())) {
			t.Errorf("got %s, want %s", d, want)
		}
	}
	if d := Fields(slog.Int("a", 1), slog.Attr{}, slog.Group("g"), slog.Int("b", 2)); d.String() != `{"a":1,"g":{},"b":2}` {
		t.Errorf("several: %s", d)
	}
	if !Fields().IsZero() {
		t.Error("no attributes are some details")
	}
}

func TestJSONRefusesWhatIsNoObject(t *testing.T) {
	for _, v := range []any{7, "text", []int{1}, func() {}, math.NaN()} {
		d := JSON(v)
		if !errors.Is(d.Err(), ErrInvalid) {
			t.Errorf("%T: %v, want ErrInvalid", v, d.Err())
		}
		if _, err := d.MarshalJSON(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%T: marshalling: %v, want ErrInvalid", v, err)
		}
	}
	if d := JSON(struct{ Nights int }{3}); d.String() != `{"Nights":3}` || d.Err() != nil {
		t.Errorf("%s, %v", d, d.Err())
	}
	if d := JSON(map[string]string(nil)); !d.IsZero() {
		t.Errorf("a nil map is %s, want no details", d)
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
