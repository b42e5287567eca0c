-- SPDX-License-Identifier: MIT
--
-- The common head of the other scripts: each is sent to the server with this
-- text before its own. The formats are described in doc.go.
--
-- KEYS  1 index  2 ledger  3 expiry  4 untold  5 fence  6 longest spans

local I, L, X, U, F, S = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local SECOND, HOUR, WEEK = 1000, 3600000, 604800000
local UNTOLD = 1024  -- how many untold holds a group keeps
local MEMORY = 5000  -- how long an ending is remembered, in ms
local EXTENT = 19    -- bytes: kind, from (7), to (7), units (4)

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

-- extent reads an extent that begins at byte p of s. Its numbers are big
-- endian and at most 2^53, so a double keeps them exactly. A member cut short
-- by somebody else reads as far too long, and so is met and removed.
local function extent(s, p)
  local b = { string.byte(s, p + 1, p + EXTENT - 1) }
  local from, to, units = 0, 0, 0
  for k = 1, 7 do
    from, to = from * 256 + (b[k] or 255), to * 256 + (b[k + 7] or 255)
  end
  for k = 15, 18 do
    units = units * 256 + (b[k] or 255)
  end
  return from, to, units
end

-- before reads the number that ends before the separator; nothing means 0.
local function before(s, p, separator)
  local e = p <= #s and string.find(s, separator, p, true)
  local n = e and (e == p and 0 or tonumber(string.sub(s, p, e - 1)))
  if n and n >= 0 then return n, e + 1 end
end

-- number reads "<digits>,", field reads "<length>:<bytes>", each at byte p of
-- s. They return the value and the position after it, or nil.
local function number(s, p)
  return before(s, p, ',')
end

local function field(s, p)
  local n, start = before(s, p, ':')
  if n and start + n <= #s + 1 then return string.sub(s, start, start + n - 1), start + n end
end

-- nonzero is how a record has a number.
local function nonzero(n)
  return n == 0 and '' or text(n)
end

-- read takes the record of a hold apart. Every version of the format begins
-- with the same head, so that any program can compare tokens and take any
-- hold out of the index; only what follows is the version's own. It returns
-- nil when there is no record or its head makes no sense.
local function read(id)
  local rec = redis.call('HGET', L, id)
  if not rec then return nil end
  local hold, p, count, name = { id = id, version = string.sub(rec, 1, 1), members = {} }
  hold.token, p = field(rec, 2)
  if not p then return nil end
  hold.public = hold.version .. string.sub(rec, p) -- all but the token
  count, p = number(rec, p)
  for k = 1, count or 0 do
    name, p = field(rec, p)
    if not p then return nil end
    hold.members[k] = name .. '\0' .. string.sub(rec, p, p + EXTENT - 1) .. id
    p = p + EXTENT
  end
  if not p then return nil end
  hold.head, hold.body = string.sub(rec, 1, p - 1), string.sub(rec, p)
  return hold
end

-- public is what may be handed out about a hold: empty when it has no
-- readable record.
local function public(id)
  local hold = read(id)
  return hold and hold.public or ''
end

-- keep lets the keys live as long as a hold that has left ms to go needs
-- them: the index until it ends, the rest until its end has been told, which
-- may take a week. Slack saves most of the calls.
local function keep(ms)
  if redis.call('PTTL', I) < ms + SECOND then
    redis.call('PEXPIRE', I, text(ms + 2 * SECOND))
    redis.call('PEXPIRE', S, text(ms + 2 * SECOND))
  end
  if redis.call('PTTL', X) < ms + WEEK then
    redis.call('PEXPIRE', X, text(ms + WEEK + HOUR))
    redis.call('PEXPIRE', L, text(ms + WEEK + HOUR))
  end
end

-- unindex takes members out of the index, those that are still there, and
-- forgets the longest span of what nobody uses any more.
local function unindex(members, id)
  for _, m in ipairs(members) do
    redis.call('ZREM', I, m)
  end
  if redis.call('EXISTS', S) == 0 then return end
  for _, m in ipairs(members) do
    local base = string.sub(m, 1, #m - #id - EXTENT + 1) -- name, NUL, kind
    if #redis.call('ZRANGEBYLEX', I, '[' .. base, '(' .. base .. '\255', 'LIMIT', '0', '1') == 0 then
      redis.call('HDEL', S, base)
    end
  end
end

-- retire moves one expired hold to the untold ones.
local function retire(id, score, now)
  local hold = read(id)
  redis.call('ZREM', X, id)
  if not hold then
    redis.call('HDEL', L, id)
    return nil
  end
  unindex(hold.members, id)
  redis.call('ZADD', U, score, id)
  redis.call('PEXPIRE', U, text(WEEK))
  return { id, tonumber(score) - now, hold.public }
end

-- sweep retires up to limit expired holds and returns them. What nobody
-- recorded goes when it is too old or there is too much of it.
local function sweep(now, limit)
  local found = {}
  local due = redis.call('ZRANGEBYSCORE', X, '0', text(now), 'WITHSCORES', 'LIMIT', '0', limit)
  for k = 1, #due, 2 do
    local told = retire(due[k], due[k + 1], now)
    if told then table.insert(found, told) end
  end
  if #due == 0 then return found end
  local old = redis.call('ZRANGEBYSCORE', U, '-inf', text(now - WEEK), 'LIMIT', '0', limit)
  local over = redis.call('ZCARD', U) - #old - UNTOLD
  if over > 0 then
    old = redis.call('ZRANGE', U, '0', text(#old + over - 1))
  end
  for _, id in ipairs(old) do
    redis.call('ZREM', U, id)
    redis.call('HDEL', L, id)
  end
  return found
end

-- ending is the score in X of a hold that was released, or a claim given up.
-- It is negative, so that nothing takes it for a live one, rises with the
-- time, and has in its last digit how it came about.
local HOW = { released = 0, forced = 1, ['given up'] = 2 }

local function ending(at, how)
  return 4 * at + HOW[how] - 2 ^ 50
end

-- remember notes an ending, and now and then forgets some old ones. With
-- nothing else in it the key goes by itself.
local function remember(id, how, now, us)
  redis.call('ZADD', X, text(ending(now, how)), id)
  if us % 16 == 0 then
    local old = redis.call('ZRANGEBYSCORE', X, '-inf', text(ending(now - MEMORY, 'given up')), 'LIMIT', '0', '64')
    if #old > 0 then redis.call('ZREM', X, unpack(old)) end
  end
  local last = redis.call('ZREVRANGE', X, '0', '0', 'WITHSCORES')
  if tonumber(last[2]) < 0 then redis.call('PEXPIRE', X, text(MEMORY)) end
end

-- recalls reports whether a hold with this score was ended by its holder, or
-- with the nonce of somebody who needed no token, and not too long ago.
local function recalls(id, score, nonce, now)
  if nonce then
    score = tonumber(redis.call('ZSCORE', X, '!' .. nonce .. id) or nil)
  end
  return score and score % 4 == HOW.released and score > ending(now - MEMORY, 'given up')
end
