// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"database/sql"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx
	_ "github.com/lib/pq"              // driver postgres
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// hanging is a dependency that does not answer: a call returns when its context
// has ended, with what the driver makes of that.
type hanging struct {
	call   func(context.Context) error
	inside func() int // calls that have reached the dependency
}

// silent is a health service that answers when its caller has given up.
type silent struct {
	grpc_health_v1.UnimplementedHealthServer
	calls atomic.Int64
}

func (s *silent) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	s.calls.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func hangingGRPC(t *testing.T) hanging {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, health := grpc.NewServer(), new(silent)
	grpc_health_v1.RegisterHealthServer(server, health)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	conn, err := grpc.NewClient(ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := grpc_health_v1.NewHealthClient(conn)
	call := func(ctx context.Context) error {
		_, err := client.Check(ctx, new(grpc_health_v1.HealthCheckRequest))
		return err
	}
	return hanging{call, func() int { return int(health.calls.Load()) }}
}

const hang = "select pg_sleep(60)"

func hangingSQL(t *testing.T, driver, url string) hanging {
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	call := func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, hang)
		return err
	}
	return hanging{call, hangingStatements(t, url)}
}

func hangingPgx(t *testing.T, url string) hanging {
	pool, err := pgxpool.New(t.Context(), url+"&pool_max_conns=20")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	call := func(ctx context.Context) error {
		_, err := pool.Exec(ctx, hang)
		return err
	}
	return hanging{call, hangingStatements(t, url)}
}

// hangingStatements returns what counts the statements that hang. PostgreSQL
// does not look at a cancellation that arrives before its statement.
func hangingStatements(t *testing.T, url string) func() int {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return func() (n int) {
		err := conn.QueryRow(t.Context(), "select count(*) from pg_stat_activity where state = 'active' and query = $1", hang).Scan(&n)
		if err != nil {
			t.Error(err)
		}
		return n
	}
}

// hangUp makes calls at once, whose callers hang up when all of them have hung
// for a while, and returns one of the errors that they get.
func (h hanging) hangUp(t *testing.T, b *circuitbreaker.Breaker, calls int, after time.Duration) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := make(chan error, calls)
	for range calls {
		go func() { errs <- b.Do(ctx, h.call) }()
	}
	waitFor(t, "the calls reach the dependency", func() bool { return h.inside() == calls })
	time.AfterFunc(after, cancel)
	for range calls - 1 {
		<-errs
	}
	return <-errs
}

func TestACallerWhoHangsUpIsNeutralHoweverTheDriverSaysIt(t *testing.T) {
	t.Parallel()
	s := startPostgres(t)
	url := s.URL(s.Addr(), "postgres")
	for name, open := range map[string]func(*testing.T) hanging{
		"gRPC":                     hangingGRPC,
		"lib/pq":                   func(t *testing.T) hanging { return hangingSQL(t, "postgres", url) },
		"pgx through database/sql": func(t *testing.T) hanging { return hangingSQL(t, "pgx", url) },
		"pgx":                      func(t *testing.T) hanging { return hangingPgx(t, url) },
	} {
		t.Run(name, func(t *testing.T) {
			b, err := circuitbreaker.New(circuitbreaker.Config{Name: "hotel"})
			if err != nil {
				t.Fatal(err)
			}
			err = open(t).hangUp(t, b, 6, 0)
			if got := b.Stats(); got.State != circuitbreaker.Closed || got.Total != (circuitbreaker.Counts{Ignored: 6}) {
				t.Errorf("%v, counted %+v because of %T: %v", got.State, got.Total, err, err)
			}
		})
		t.Run(name+", but slow if it hung", func(t *testing.T) {
			b, err := circuitbreaker.New(circuitbreaker.Config{Name: "hotel", FailureRate: 0.5, SlowRate: 0.5, SlowCall: 20 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			err = open(t).hangUp(t, b, 20, 20*time.Millisecond)
			if got := b.Stats(); got.State != circuitbreaker.Open || got.Total.Failure != 0 || got.Total.Slow != 20 {
				t.Errorf("%v, counted %+v because of %T: %v", got.State, got.Total, err, err)
			}
		})
	}
}
