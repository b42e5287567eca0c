// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/metrics"
)

func observe() error {
	m, err := metrics.New(prometheus.DefaultRegisterer)
	if err != nil {
		return err
	}
	hotel, err := circuitbreaker.New(circuitbreaker.Config{Name: "hotel", Observer: m}) // as do lock, session and audit
	if err != nil {
		return err
	}
	http.Handle("GET /metrics", promhttp.Handler())
	fmt.Println(hotel.Name(), "is observed")
	return nil
}
