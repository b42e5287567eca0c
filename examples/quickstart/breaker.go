// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

func callHotel(ctx context.Context) error {
	hotel, err := circuitbreaker.New(circuitbreaker.Config{Name: "hotel", ConsecutiveFailures: 3})
	if err != nil {
		return err
	}
	for range 4 {
		price, err := circuitbreaker.DoOr(ctx, hotel, askPrice, func(_ context.Context, err error) (int, error) {
			return yesterdaysPrice, nil // err says why: the hotel failed, or the breaker is open and spared it the call
		})
		fmt.Println(price, err, hotel.State())
	}
	return nil
}

const yesterdaysPrice = 120

// askPrice asks a hotel that is down.
func askPrice(context.Context) (int, error) { return 0, errors.New("no answer") }
