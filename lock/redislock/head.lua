-- SPDX-License-Identifier: MIT
--
-- The first lines of every script. Making a function costs time, so none is
-- made before the quick paths.
--
-- KEYS  1 index  2 ledger  3 expiry  4 unrecorded  5 queue

local I, L, X, U, Q = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local HOUR, WEEK = 3600000, 604800000
local YEAR = 31536000000000 -- in µs: a fence that far ahead of the clock was written by another program
local MEMORY = 5000  -- how long an ending is remembered, in ms
local TRIAL = 2000   -- how long a grant lasts until it is confirmed, in ms
local PRESENT = 3000 -- how long an inbox counts after it was seen, in ms
local MOST = 4096    -- places of one name
local EXTENT = 19    -- bytes: kind, from (7), to (7), units (4)
local KEY = 61       -- "=": the kind of a key that has its name for itself; its slot and its parts begin with it

