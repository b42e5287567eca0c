-- SPDX-License-Identifier: MIT
--
-- The first lines of every script. Functions cost time where they are made, so
-- there are none before the quick paths.
--
-- KEYS  1 index  2 ledger  3 expiry  4 unrecorded  5 queue
--
-- The fields of the ledger that are no ids begin with # or =: the last fence;
-- until when the keys live; a time before which no hold expires; the longest
-- span by name and kind, and how many of those there are; whether somebody may
-- be queued; and by name, who holds it as a key.

local I, L, X, U, Q = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local HOUR, WEEK = 3600000, 604800000
local MEMORY = 5000 -- how long an ending is remembered, in ms
local EXTENT = 19   -- bytes: kind, from (7), to (7), units (4)
local KEY = 61      -- the kind of a key that has its name for itself, "="

