// SPDX-License-Identifier: MIT

// Quickstart has one use of each package, in a file each: the code of the README.
// Redis and the database are inside the program.
package main

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/glebarez/sqlite"
	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server, err := miniredis.Run() // stands for your Redis
	check(err)
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer client.Close()
	dir, err := os.MkdirTemp("", "quickstart")
	check(err)
	defer os.RemoveAll(dir)
	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "trail.db")), &gorm.Config{Logger: logger.Discard})
	check(err)
	pool, err := db.DB()
	check(err)
	defer pool.Close()

	for _, use := range []func() error{
		func() error { return callHotel(ctx) },
		func() error { return bookRoom(ctx, client) },
		func() error { return chat(ctx, client, "a room for two, please") },
		func() error { return record(ctx, db) },
		observe,
	} {
		check(use())
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
