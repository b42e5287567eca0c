// SPDX-License-Identifier: MIT

package redissession

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

//go:embed *.lua
var sources embed.FS

// source joins script files: preludes first.
func source(names ...string) string {
	var text string
	for _, name := range names {
		part, err := sources.ReadFile(name + ".lua")
		if err != nil {
			panic(err) // embedded at build time: a name in this file is wrong
		}
		text += string(part)
	}
	return text
}

// script is a script with the preludes before it.
func script(names ...string) *redis.Script {
	return redis.NewScript(source(append([]string{"clock", "touch", "record", "line"}, names...)...))
}

var (
	createScript      = script("lease", "room", "create")
	loadScript        = redis.NewScript(source("clock", "glance", "touch", "seen", "record", "line", "lease", "load"))
	saveScript        = script("save")
	moveScript        = script("room", "move")
	retireScript      = script("retire")
	deleteScript      = script("delete")
	deleteOwnerScript = script("partial", "delete_owner")
	listScript        = script("partial", "list")
	claimScript       = script("claim")
	settleScript      = script("settle")
	countScript       = script("count")
	pingScript        = script("ping")
	restoreScript     = script("restore")
)
