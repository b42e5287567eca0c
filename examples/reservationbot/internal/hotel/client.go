// SPDX-License-Identifier: MIT

package hotel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ErrStaleFence says that a later lease has booked one of the nights, so that the
// lease of this order was lost, or that the order was withdrawn.
var ErrStaleFence = errors.New("hotel: stale fence")

// ErrNoBooking says that the PMS does not know the reference.
var ErrNoBooking = errors.New("hotel: no such booking")

// ErrNoAnswer says that the PMS did not answer, or not as it should.
var ErrNoAnswer = errors.New("hotel: no answer")

// Client talks to a PMS. It sets no time limits of its own: the caller's
// context does. Safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the PMS at base, such as
// "http://127.0.0.1:9000". At most connections requests are on their way at
// once; further ones wait their turn.
func NewClient(base string, connections int) *Client {
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		http: &http.Client{Transport: &http.Transport{
			MaxConnsPerHost:     connections,
			MaxIdleConnsPerHost: connections,
		}},
	}
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Free lists the rooms without a booking between the dates.
func (c *Client) Free(ctx context.Context, in, out Date) ([]string, error) {
	return get[[]string](ctx, c, "/rooms/free", url.Values{"from": {in.String()}, "to": {out.String()}})
}

// Bookings lists the bookings that share nights with the stay. It shows the
// fence of the lease on them (0 = none): orders with an earlier one are refused
// from then on, so that none of those makes the list untrue. A fence that is
// too old itself is answered with ErrStaleFence.
func (c *Client) Bookings(ctx context.Context, s Stay, fence uint64) ([]Booking, error) {
	return get[[]Booking](ctx, c, "/bookings", url.Values{
		"room": {s.Room}, "from": {s.In.String()}, "to": {s.Out.String()}, "fence": {strconv.FormatUint(fence, 10)},
	})
}

// BookingsOf lists a guest's bookings.
func (c *Client) BookingsOf(ctx context.Context, guest string) ([]Booking, error) {
	return get[[]Booking](ctx, c, "/bookings", url.Values{"guest": {guest}})
}

// Book books, or returns the booking that an order with the same key made. A
// fence that is too old is answered with ErrStaleFence.
func (c *Client) Book(ctx context.Context, o Order) (Booking, error) {
	var b Booking
	err := c.call(ctx, http.MethodPost, "/bookings", o, &b)
	return b, err
}

// Cancel ends a booking; ErrNoBooking says that there was none.
func (c *Client) Cancel(ctx context.Context, reference string) error {
	return c.call(ctx, http.MethodDelete, "/bookings/"+url.PathEscape(reference), nil, nil)
}

// Withdraw cancels what an order has booked, and has the order refused if it
// arrives later. It may be repeated.
func (c *Client) Withdraw(ctx context.Context, key string) error {
	return c.call(ctx, http.MethodDelete, "/orders/"+url.PathEscape(key), nil, nil)
}

// DoubleBookings counts the bookings that share a night with an earlier one.
func (c *Client) DoubleBookings(ctx context.Context) (int, error) {
	counted, err := get[struct{ Count int }](ctx, c, "/double-bookings", nil)
	return counted.Count, err
}

// Ledger lists all bookings of a simulated PMS, whatever its mode.
func (c *Client) Ledger(ctx context.Context) ([]Booking, error) {
	return get[[]Booking](ctx, c, "/ledger", nil)
}

// Clear forgets the bookings of a simulated PMS whose guests' names begin so.
func (c *Client) Clear(ctx context.Context, guests string) error {
	return c.call(ctx, http.MethodDelete, "/ledger?guests="+url.QueryEscape(guests), nil, nil)
}

// URL is where the PMS is.
func (c *Client) URL() string { return c.base }

// SetMode switches the faults of a simulated PMS.
func (c *Client) SetMode(ctx context.Context, mode string) error {
	return c.call(ctx, http.MethodPut, "/faults", map[string]string{"mode": mode}, nil)
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (answer T, err error) {
	err = c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &answer)
	return answer, err
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) (err error) {
	defer func() {
		if err != nil && err != ErrStaleFence && err != ErrNoBooking {
			err = fmt.Errorf("%w: %s %s: %w", ErrNoAnswer, method, path, err)
		}
	}()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, &body)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<22))
	switch {
	case err != nil:
		return err
	case response.StatusCode == http.StatusConflict:
		return ErrStaleFence
	case response.StatusCode == http.StatusNotFound:
		return ErrNoBooking
	case response.StatusCode >= 300:
		return errors.New(response.Status)
	case out == nil:
		return nil
	}
	return json.Unmarshal(answer, out)
}
