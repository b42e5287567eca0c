// SPDX-License-Identifier: MIT

package metrics

import (
	"database/sql"
	"fmt"
	"slices"
)

// DB adds the connection pool of a database, such as the one of an audit sink,
// under a name. A scrape reads the pool's statistics and sends nothing to the
// database. The pool is held until [Metrics.Retire]. Pools of one name add up. A
// nil db is [ErrInvalid].
func (m *Metrics) DB(name string, db *sql.DB) error {
	if !m.made() || db == nil {
		return fmt.Errorf("%w: DB(%q) needs a database, and a Metrics from New", ErrInvalid, name)
	}
	m.dbs.add(name, db)
	return nil
}

func dbTotals(s sql.DBStats) []float64 {
	return []float64{float64(s.WaitCount), s.WaitDuration.Seconds()}
}

func (o output) db(r reading[sql.DBStats, struct{}]) {
	var idle, limit float64
	for _, s := range r.live {
		idle += float64(s.Idle)
		limit += float64(s.MaxOpenConnections)
	}
	if slices.ContainsFunc(r.live, func(s sql.DBStats) bool { return s.MaxOpenConnections == 0 }) {
		limit = 0 // one pool has none
	}
	o.put(sqlConnections, inUse(r), r.label, "in_use")
	o.put(sqlConnections, idle, r.label, "idle")
	o.put(sqlLimit, limit, r.label)
	o.put(sqlWaits, r.totals[0], r.label)
	o.put(sqlWaitSeconds, r.totals[1], r.label)
}

func inUse(r reading[sql.DBStats, struct{}]) (n float64) {
	for _, s := range r.live {
		n += float64(s.InUse)
	}
	return n
}
