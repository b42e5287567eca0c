// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAConfigReadsFromJSON(t *testing.T) {
	got := Config{Name: "pms", MinCalls: 7, Window: Window{Buckets: 4}}
	err := json.Unmarshal([]byte(`{
		"consecutiveFailures": 3, "FailureRate": 0.25, "slowrate": 0.5, "slowCall": "1.5s",
		"window": {"duration": "1m"}, "openFor": {"base": "2s", "max": "1h", "factor": 1.5, "jitter": -1},
		"probes": {"concurrent": 2, "of": 20, "timeout": "10s"}, "start": "half_open", "shadow": true
	}`), &got)
	want := Config{
		Name: "pms", MinCalls: 7, ConsecutiveFailures: 3, FailureRate: 0.25, SlowRate: 0.5, SlowCall: 1500 * time.Millisecond,
		Window: Window{Duration: time.Minute, Buckets: 4}, OpenFor: Backoff{Base: 2 * time.Second, Max: time.Hour, Factor: 1.5, Jitter: -1},
		Probes: Probes{Concurrent: 2, Of: 20, Timeout: 10 * time.Second}, Start: HalfOpen, Shadow: true,
	}
	if err != nil || got.Window != want.Window || got.OpenFor != want.OpenFor || got.Probes != want.Probes || got.Start != want.Start ||
		got.SlowCall != want.SlowCall || got.FailureRate != want.FailureRate || got.SlowRate != want.SlowRate || !got.Shadow ||
		got.ConsecutiveFailures != 3 || got.Name != "pms" || got.MinCalls != 7 {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	mustNew(t, got).Reset()
}

func TestWhatJSONCannotSetIsRefusedAndNothingIsSet(t *testing.T) {
	for text, want := range map[string]string{
		`{"failurerates": 0.5}`:              "Config.failurerates is \"0.5\", want a field that JSON can set",
		`{"window": {"size": 3}}`:            "Config.window.size is \"3\", want a field that JSON can set",
		`{"observer": {}}`:                   "Config.observer is \"{}\", want a field that JSON can set",
		`{"classify": "x"}`:                  "Config.classify is \"\\\"x\\\"\", want a field that JSON can set",
		`{"slowCall": 2}`:                    "Config.slowCall is \"2\", want a duration such as \"2s\"",
		`{"openFor": {"base": "two"}}`:       "Config.openFor.base is \"\\\"two\\\"\", want a duration such as \"2s\"",
		`{"minCalls": 1.5}`:                  "Config.minCalls is \"1.5\", want a JSON value for int",
		`{"name": 3}`:                        "Config.name is \"3\", want a JSON value for string",
		`{"start": "ajar"}`:                  "Config.start is \"\\\"ajar\\\"\", want a JSON value for circuitbreaker.State",
		`{"probes": []}`:                     "Config.probes.JSON is \"[]\", want an object",
		`[1]`:                                "Config.JSON is \"[1]\", want an object",
		`{"a": 1, "failureRate": 1, "b": 2}`: "Config.a is \"1\", want a field that JSON can set\ncircuitbreaker: Config.b is \"2\", want a field that JSON can set",
	} {
		cfg := Config{Name: "pms"}
		err := json.Unmarshal([]byte(text), &cfg)
		if err == nil || !errors.Is(err, ErrInvalid) || err.Error() != "circuitbreaker: "+want {
			t.Errorf("%s:\n got %v\nwant circuitbreaker: %s", text, err, want)
		}
		if cfg.Name != "pms" || cfg.FailureRate != 0 {
			t.Errorf("%s: set %+v", text, cfg)
		}
	}
}

func TestAGroupConfigReadsFromJSON(t *testing.T) {
	var cfg GroupConfig
	err := json.Unmarshal([]byte(`{"breaker": {"name": "hosts", "openFor": {"base": "1s"}}, "max": 5, "idleAfter": "1m", "shareOverflow": true}`), &cfg)
	if err != nil || cfg.Breaker.Name != "hosts" || cfg.Breaker.OpenFor.Base != time.Second || cfg.Max != 5 || cfg.IdleAfter != time.Minute || !cfg.ShareOverflow {
		t.Errorf("%v, %+v", err, cfg)
	}
	err = json.Unmarshal([]byte(`{"breaker": {"nmae": "hosts"}, "idle": "1m"}`), &cfg)
	for _, field := range []string{"GroupConfig.breaker.nmae", "GroupConfig.idle"} {
		if err == nil || !strings.Contains(err.Error(), "circuitbreaker: "+field+" is ") {
			t.Errorf("%s is not named in: %v", field, err)
		}
	}
}

func TestStatesAreTextInJSON(t *testing.T) {
	for state := range State(numStates) {
		text, err := json.Marshal(state)
		var back State
		if err != nil || string(text) != `"`+state.String()+`"` || json.Unmarshal(text, &back) != nil || back != state {
			t.Errorf("%v is %s, and back %v: %v", state, text, back, err)
		}
	}
	var s State
	if err := s.UnmarshalText([]byte("unknown")); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
