// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// DefaultStatus returns the outcome of a status in a [Transport] without
// [WithStatus]. Your own function can call it for the statuses that it does not
// know.
func DefaultStatus(code int) circuitbreaker.Outcome {
	switch {
	case code == http.StatusNotImplemented, code == http.StatusHTTPVersionNotSupported:
		return circuitbreaker.Success
	case code >= 500, code == http.StatusRequestTimeout:
		return circuitbreaker.Failure
	case code == http.StatusTooManyRequests:
		return circuitbreaker.Ignored
	default:
		return circuitbreaker.Success
	}
}

// StatusError is the error of a failing status. It is passed to Config.Classify,
// and is the cause in events and rejections. No request returns it.
type StatusError struct {
	Code int // such as 503

	wait time.Duration
}

func newStatusError(resp *http.Response) *StatusError {
	return &StatusError{Code: resp.StatusCode, wait: retryAfter(resp.Header)}
}

// Error names the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("breakerhttp: the server answered %d %s", e.Code, http.StatusText(e.Code))
}

// RetryAfter returns the time of the response's Retry-After header, or 0 without
// one.
func (e *StatusError) RetryAfter() time.Duration { return e.wait }

// retryAfter reads Retry-After, which holds seconds or a date, and returns 0 for
// anything else. A date is compared with the response's own Date, so that only
// the server's clock matters; without one, with the local clock.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if !isDigits(value) {
		until, err := http.ParseTime(value)
		if err != nil {
			return 0
		}
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return max(until.Sub(now), 0)
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds > int64(math.MaxInt64/time.Second) {
		return math.MaxInt64 // more than a Duration holds
	}
	return time.Duration(seconds) * time.Second
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
