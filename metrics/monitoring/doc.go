// SPDX-License-Identifier: MIT

// Package monitoring contains the alerts for Prometheus, the dashboards for
// Grafana, and a runbook for each alert, for programs that use holdfast. They are
// plain files. Copy them and change the copies:
//
//	alerts/*.yml         rules for Prometheus 2.42 and later
//	alertmanager/*.yml   inhibitions for Alertmanager
//	dashboards/*.json    dashboards for Grafana
//	runbooks/*.md        what to do when the alert of that name fires
//
// This command writes them into a folder:
//
//	go run github.com/holdfast-go/holdfast/metrics/monitoring/export@latest -out monitoring
//
// The files reservationbot and slo, and the dashboard bot, belong to the example
// program. They show how to add a program's own metrics.
//
// # Guarantees
//
//   - Each alert is tested on both sides of its threshold, and has a runbook.
//   - Every name, label and label value in rules, dashboards and runbooks is
//     listed by metrics.Catalog or exposed by the example program.
//   - All rules and panels keep the labels cluster, namespace and job, or those of
//     [Options].By. Alerts add up the instances of a service, or take the highest
//     value, for each manager, breaker, log or pool.
//   - Each alert links to a panel that shows its metric.
//
// # Not guaranteed
//
//   - The thresholds fit your service. They are shares with a minimum number of
//     calls, so that 4 calls a minute are enough; change them in the expressions.
package monitoring
