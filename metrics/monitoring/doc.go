// SPDX-License-Identifier: MIT

// Package monitoring carries what watches a program that uses holdfast: alerts
// for Prometheus, dashboards for Grafana, and a runbook for each alert. They
// are plain files, to be read where they are and changed where they are used:
//
//	alerts/*.yml        rules of Prometheus
//	dashboards/*.json   dashboards of Grafana
//	runbooks/*.md       what to do when the alert of that name fires
//
// To have them in a folder of your own:
//
//	go run github.com/holdfast-go/holdfast/metrics/monitoring/export@latest -out monitoring
//
// Files that begin with reservationbot and slo, and the dashboard bot, are of
// the example program. They show how a program's own metrics join in.
//
// # What you can rely on
//
// Each alert fires where it should and not a step earlier, and each has a
// runbook. Every name, label and label value in rules, dashboards and runbooks
// is one that metrics.Catalog lists, or that the example exposes. All alerts
// keep the label job, and add up or take the highest of its instances; what
// they say is of the manager, breaker, log or pool that they name.
//
// What you cannot: thresholds fit a service with some hundred requests a
// minute and more. They stand in the expressions, to be changed there.
package monitoring
