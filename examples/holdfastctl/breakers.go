// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker/breakerhttp"
)

// ask sends a request to the service's breakerhttp.Handler, with what
// BREAKERS_AUTHORIZATION says, and decodes the answer.
func (t *tool) ask(ctx context.Context, method, path string, query url.Values) (states []breakerhttp.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(t.url, "/")+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: -breakers: %w", errUsage, err)
	}
	if auth := t.getenv("BREAKERS_AUTHORIZATION"); auth != "" {
		r.Header.Set("Authorization", auth)
	}
	client := &http.Client{}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", method, r.URL, answer.Status, strings.TrimSpace(string(body[:min(len(body), 200)])))
	}
	return states, json.Unmarshal(body, &states)
}

func (t *tool) show(states []breakerhttp.Status) error {
	return print(t, "BREAKER STATE SINCE OPEN_FOR FAILURES REJECTED", states, func(s breakerhttp.Status) []any {
		left := ""
		if s.OpenLeftMS > 0 {
			left = (time.Duration(s.OpenLeftMS) * time.Millisecond).String()
		}
		return []any{s.Name, s.State, s.Since.Format(time.RFC3339), left, s.Failures, s.Rejected}
	})
}

func breakers(ctx context.Context, t *tool, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: breakers takes no arguments", errUsage)
	}
	states, err := t.ask(ctx, http.MethodGet, "", nil)
	if err != nil {
		return err
	}
	return t.show(states)
}

func trip(ctx context.Context, t *tool, args []string) error {
	return t.change(ctx, "trip", args, url.Values{"for": {t.duration}, "reason": {t.reason}})
}

func reset(ctx context.Context, t *tool, args []string) error {
	return t.change(ctx, "reset", args, url.Values{})
}

func (t *tool) change(ctx context.Context, what string, args []string, query url.Values) error {
	if len(args) != 1 {
		return fmt.Errorf("%w: %s wants the name of one breaker", errUsage, what)
	}
	if err := t.confirm("%s breaker %s of %s?", what, args[0], t.url); err != nil {
		return err
	}
	query.Set("breaker", args[0])
	states, err := t.ask(ctx, http.MethodPost, "/"+what, query)
	if err != nil {
		return err
	}
	return t.show(states)
}
