// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
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
	if value == "" { // the parsers would allocate errors
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, _ := strconv.ParseUint(value, 10, 64) // the highest number, if it is higher
		return time.Duration(min(seconds, uint64(math.MaxInt64/time.Second))) * time.Second
	}
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
