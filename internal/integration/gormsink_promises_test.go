// SPDX-License-Identifier: MIT

package integration

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

var noon = time.Date(2026, 12, 11, 12, 0, 0, 0, time.UTC)

// promises checks what gormsink says of any real database; open returns an
// empty one.
func promises(t *testing.T, open func(testing.TB) *gorm.DB) {
	for _, c := range []struct {
		name  string
		check func(*testing.T, *gorm.DB)
	}{
		{"MigrateIsIdempotentAndSafeAtTheSameTime", migrateTwice},
		{"MigrateMakesTheIndexes", migrateIndexes},
		{"QueryFindsWhatTheCriteriaSay", queryCriteria},
		{"QueryPagesInOrderWithoutGapsOrRepeats", queryPages},
		{"QueryAdvancesPastAnUnreadableRow", queryUnreadable},
		{"PurgeDeletesExactlyWhatIsOlder", purge},
		{"PurgeByTypeAndTenantDeletesNoMore", purgeSome},
		{"EraseChangesExactlyThePersonsEvents", eraseExactly},
		{"EraseFindsTheIDHoweverJSONSpellsIt", eraseSpelled},
		{"EraseOfALongIDFindsItAnywhere", eraseLong},
		{"EraseSaysWhoAndWhyAndHowMany", eraseNote},
		{"EraseThatOnlyCountsChangesNothing", eraseDry},
		{"EraseGoesOnWhereItStopped", eraseResumed},
		{"TwoErasuresAtOnceLeaveNeitherNamed", eraseTwo},
		{"GapsReportsWhatIsMissingWithoutAReason", gaps},
		{"GapsIgnoresWhatHasAReason", gapsExplained},
		{"GapsCountsWhatIsMissingAmongOthers", gapsAmong},
		{"GapsReportsAStreamThatWasCutOff", gapsCut},
		{"TailYieldsEveryEventOnce", tail},
		{"TailWaitsForAMissingNumberAndForTransactions", tailWaits},
		{"ExportWritesWhatQueryYields", export},
		{"RowsThatNoLogWritesHoldNothingUp", strays},
		{"ATableOfTheNextVersionIsReadAndWritten", nextVersion},
		{"InIsPartOfTheCallersTransaction", inTransaction},
		{"APoisonEventDoesNotTakeItsBatchAlong", poison},
		{"OnlyAConflictOnTheIDIsIgnored", otherConflict},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t)) })
	}
}

func migrateTwice(t *testing.T, db *gorm.DB) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := gormsink.New(db).Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	migrated(t, db)
	var versions []int
	if err := db.Raw("SELECT version FROM lock_audit_schema ORDER BY version").Scan(&versions).Error; err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(versions, []int{1}) {
		t.Errorf("applied versions %v, want 1 alone", versions)
	}
}

func migrateIndexes(t *testing.T, db *gorm.DB) {
	migrated(t, db)
	query := "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'lock_audit%' ORDER BY name"
	switch db.Name() {
	case "mysql":
		query = "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'lock_audit' AND index_name <> 'PRIMARY' ORDER BY index_name"
	case "postgres":
		query = "SELECT indexname FROM pg_indexes WHERE tablename = 'lock_audit' AND indexname NOT LIKE '%pkey' ORDER BY indexname"
	}
	var names []string
	if err := db.Raw(query).Scan(&names).Error; err != nil {
		t.Fatal(err)
	}
	if want := []string{"lock_audit_actor", "lock_audit_recorded", "lock_audit_resource", "lock_audit_stream", "lock_audit_tenant", "lock_audit_time"}; !slices.Equal(names, want) {
		t.Errorf("indexes %v, want %v", names, want)
	}
}

// record writes events at noon, noon + 1 s, … and returns them as stored.
func record(t *testing.T, s *gormsink.Sink, events ...audit.Event) []audit.Event {
	t.Helper()
	m := audit.NewMemory()
	for i, e := range events {
		if e.Time.IsZero() {
			e.Time = noon.Add(time.Duration(i) * time.Second)
		}
		if err := audit.Direct(audit.Multi(m, s)).Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return m.Events()
}

func query(t *testing.T, s *gormsink.Sink, c gormsink.Criteria) []audit.Event {
	t.Helper()
	var all []audit.Event
	for e, err := range s.Query(t.Context(), c) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func queryCriteria(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	e := func(kind, room, who string, o audit.Outcome) audit.Event {
		return audit.Event{Type: kind, Outcome: o, Resource: audit.Entity{ID: room}, Actor: audit.Entity{ID: who}}
	}
	all := record(t, s,
		e("lock.acquired", "101", "ana", audit.Success), e("lock.conflict", "101", "ben", audit.Denied),
		e("lock.acquired", "102", "ben", audit.Success), e("lock.released", "101", "ana", audit.Success),
		e("lock.lost", "102", "", audit.Failure))
	for name, c := range map[string]struct {
		wanted gormsink.Criteria
		want   []int
	}{
		"everything":     {gormsink.Criteria{}, []int{0, 1, 2, 3, 4}},
		"newest first":   {gormsink.Criteria{Newest: true}, []int{4, 3, 2, 1, 0}},
		"resource":       {gormsink.Criteria{ResourceID: "101"}, []int{0, 1, 3}},
		"actor":          {gormsink.Criteria{ActorID: "ben"}, []int{1, 2}},
		"type":           {gormsink.Criteria{Types: []string{"lock.acquired"}}, []int{0, 2}},
		"types":          {gormsink.Criteria{Types: []string{"lock.acquired", "lock.lost"}}, []int{0, 2, 4}},
		"outcome":        {gormsink.Criteria{Outcomes: []audit.Outcome{audit.Denied, audit.Failure}}, []int{1, 4}},
		"from inclusive": {gormsink.Criteria{From: all[3].Time}, []int{3, 4}},
		"to exclusive":   {gormsink.Criteria{To: all[1].Time}, []int{0}},
		"finer than µs":  {gormsink.Criteria{From: all[3].Time.Add(1), To: all[4].Time.Add(1)}, []int{4}},
		"all of it":      {gormsink.Criteria{ResourceID: "101", ActorID: "ana", Types: []string{"lock.released"}, From: noon, To: noon.Add(time.Hour)}, []int{3}},
		"nothing":        {gormsink.Criteria{ResourceID: "103"}, nil},
	} {
		var want []audit.Event
		for _, i := range c.want {
			want = append(want, all[i])
		}
		if got := query(t, s, c.wanted); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	for range s.Query(t.Context(), gormsink.Criteria{}) {
		break // must not hold anything
	}
}

// batch makes frozen events, several of them at each time.
func batch(t *testing.T, n int) []audit.Event {
	t.Helper()
	m := audit.NewMemory()
	for i := range n {
		e := audit.Event{Type: "test", Time: noon.Add(time.Duration(i/7) * time.Microsecond), Reason: fmt.Sprint(i)}
		if err := audit.Direct(m).Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return m.Events()
}

func queryPages(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	all := batch(t, 1203) // three pages
	if err := s.Write(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s, gormsink.Criteria{}); !slices.Equal(got, all) {
		t.Errorf("%d events in an order of their own, want %d by time and id", len(got), len(all))
	}
	slices.Reverse(all)
	if got := query(t, s, gormsink.Criteria{Newest: true}); !slices.Equal(got, all) {
		t.Errorf("newest first: %d events in an order of their own, want %d", len(got), len(all))
	}
}

func queryUnreadable(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	all := batch(t, 1001)
	if err := s.Write(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	// The last row of a page and its neighbours: going on from there must work.
	bad := []string{all[498].ID.String(), all[499].ID.String(), all[500].ID.String()}
	if err := db.Exec("UPDATE lock_audit SET details = '[1]', outcome = 'canary' WHERE id IN ?", bad).Error; err != nil {
		t.Fatal(err)
	}
	good, unreadable := 0, []string(nil)
	for _, err := range s.Query(t.Context(), gormsink.Criteria{}) {
		row, isRow := errors.AsType[*gormsink.RowError](err)
		switch {
		case isRow:
			unreadable = append(unreadable, row.ID)
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the row: %v", err)
			}
		case err != nil:
			t.Fatal(err)
		default:
			good++
		}
	}
	if good != 998 || !slices.Equal(unreadable, bad) {
		t.Errorf("%d readable rows and %v, want 998 and %v", good, unreadable, bad)
	}
}

func inTransaction(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	undo := errors.New("undo")
	for _, want := range []error{undo, nil} {
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := s.In(tx, nil).Record(t.Context(), audit.Event{Type: "test", Reason: fmt.Sprint(want)}); err != nil {
				t.Error(err)
			}
			return want
		})
		if err != want {
			t.Fatal(err)
		}
	}
	if got := query(t, s, gormsink.Criteria{}); len(got) != 1 || got[0].Reason != "<nil>" {
		t.Errorf("the trail is %v, want the committed event alone", got)
	}
}

// onlyOne has the database refuse a second event with a value.
func onlyOne(t *testing.T, db *gorm.DB, column, value string) {
	t.Helper()
	rule := fmt.Sprintf("CREATE UNIQUE INDEX only_one ON lock_audit (%s) WHERE %s = '%s'", column, column, value)
	if db.Name() == "mysql" {
		rule = fmt.Sprintf("ALTER TABLE lock_audit ADD COLUMN only_one int GENERATED ALWAYS AS (CASE WHEN %s = '%s' THEN 1 END) STORED UNIQUE", column, value)
	}
	if err := db.Exec(rule).Error; err != nil {
		t.Fatal(err)
	}
}

// poison uses a rule of the table's own to have the database refuse one event
// in 512.
func poison(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	onlyOne(t, db, "reason", "poison")
	record(t, s, audit.Event{Type: "test", Reason: "poison"})
	letters := audit.NewMemory()
	log, err := audit.New(s, audit.Config{DeadLetter: letters})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 512 {
		e := audit.Event{Type: "test"}
		if i == 300 {
			e.Reason = "poison"
		}
		if err := log.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	loss, ok := errors.AsType[*audit.LossError](log.Close(t.Context()))
	if !ok || len(loss.IDs) != 1 || !errors.Is(loss, audit.ErrPermanent) {
		t.Errorf("close: %v, want the loss of the poison event", loss)
	}
	stored := query(t, s, gormsink.Criteria{Types: []string{"test", audit.TypeDropped}})
	marks := query(t, s, gormsink.Criteria{Types: []string{audit.TypeDropped}})
	if len(stored) != 1+511+1 || len(marks) != 1 {
		t.Errorf("%d rows with %d marks, want the first, 511 and 1 mark", len(stored), len(marks))
	}
	if dead := letters.Events(); len(dead) != 1 || dead[0].Reason != "poison" {
		t.Errorf("dead letters %v, want the poison event", dead)
	}
}

func otherConflict(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	if err := db.Exec("CREATE UNIQUE INDEX one_seat ON lock_audit (tenant)").Error; err != nil {
		t.Fatal(err)
	}
	record(t, s, audit.Event{Type: "test", Tenant: "canary"})
	err := audit.Direct(s).Record(t.Context(), audit.Event{Type: "test", Tenant: "canary"})
	if !errors.Is(err, audit.ErrPermanent) || strings.Contains(err.Error(), "canary") {
		t.Errorf("a conflict on another index: %v, want ErrPermanent without the value", err)
	}
}
