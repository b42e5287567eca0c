-- SPDX-License-Identifier: MIT
--
-- The first lines of every script: what each needs, however short.
--
-- KEYS  1 index  2 ledger  3 expiry  4 untold  5 queue
--
-- The fields of the ledger that are no ids begin with #: the last fence, until
-- when the keys live, the longest span by name and kind and how many of those
-- there are, and whether somebody may be queued.

local I, L, X, U, Q = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local HOUR, WEEK = 3600000, 604800000
local MEMORY = 5000 -- how long an ending is remembered, in ms
local EXTENT = 19   -- bytes: kind, from (7), to (7), units (4)

-- text is the only way from a number to a string: Lua's own has 14 digits.
local function text(n)
  return string.format('%.0f', n)
end

-- clock returns the server's time in milliseconds and in microseconds.
local function clock()
  local t = redis.call('TIME')
  local us = tonumber(t[1]) * 1000000 + tonumber(t[2])
  return math.floor(us / 1000), us
end

-- ending is the score in X of a hold that was released (how is 0), or so
-- without its token (1), or a claim given up (2). It is negative, so that
-- nothing takes it for a live one, and rises with the time.
local function ending(at, how)
  return 4 * at + how - 2 ^ 50
end

-- remember notes an ending, and now and then forgets some old ones. With
-- nothing else in it the key goes by itself.
local function remember(id, how, now, us)
  redis.call('ZADD', X, text(ending(now, how)), id)
  if us % 16 == 0 then
    local old = redis.call('ZRANGEBYSCORE', X, '-inf', text(ending(now - MEMORY, 2)), 'LIMIT', '0', '64')
    if #old > 0 then redis.call('ZREM', X, unpack(old)) end
  end
  if redis.call('EXISTS', I) == 1 then return end
  local last = redis.call('ZREVRANGE', X, '0', '0', 'WITHSCORES')
  if tonumber(last[2]) < 0 then redis.call('PEXPIRE', X, text(MEMORY)) end
end

