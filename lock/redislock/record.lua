-- SPDX-License-Identifier: MIT
--
-- What the scripts have in common that deal with whole records. The formats
-- are described in doc.go.
--
-- KEYS  as in head.lua

local UNTOLD = 1024 -- how many untold holds a group keeps

-- READS has the versions of the body that can be extended and recorded: this
-- one and the one before. A new version may only append to the body.
local READS = { ['1'] = true }

-- WHOLE is the extent of a key: from -2^52 to 2^52, one unit.
local WHOLE = '=' .. string.rep('\0', 7) .. '\32' .. string.rep('\0', 9) .. '\1'

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

-- score returns an id's score in X, or nil when it has none or that of an
-- ending too old to count, whether or not somebody has cleaned it up.
local function score(id, now)
  local s = tonumber(redis.call('ZSCORE', X, id) or nil)
  if not s or s < 0 and s <= ending(now - MEMORY, 2) then return nil end
  return s
end

-- rest lets an idle group go: when nothing in X is to expire any more, it
-- needs to live no longer than what else is in it, and the next grant has to
-- see to that again.
local function rest()
  if redis.call('ZCOUNT', X, '0', '+inf') > 0 then return end
  redis.call('PEXPIRE', X, text(MEMORY))
  redis.call('HDEL', L, '#until')
end

-- remember notes an ending, and forgets some old ones. With nothing else in it
-- the key goes by itself.
local function remember(id, how, now)
  redis.call('ZADD', X, text(ending(now, how)), id)
  local old = redis.call('ZRANGEBYSCORE', X, '-inf', text(ending(now - MEMORY, 2)), 'LIMIT', '0', '256')
  if #old > 0 then redis.call('ZREM', X, unpack(old)) end
  rest()
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
  if string.byte(rec, p) == KEY then
    name, p = field(rec, p + 1)
    if not p then return nil end
    hold.members[1] = name .. '\0' .. WHOLE .. id
  else
    count, p = number(rec, p)
  end
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

-- keep lets the keys live until a hold that has left ms to go has ended and
-- its end has been told, which may take a week. Slack saves most of the calls.
local function keep(now, left)
  local index = redis.call('PTTL', I)
  if redis.call('HEXISTS', L, '#until') == 1 and redis.call('PTTL', X) >= left + WEEK
    and (index == -2 or index >= left + WEEK) -- there may be none
  then
    return
  end
  local to = text(math.max(now + left + WEEK + HOUR, tonumber(redis.call('HGET', L, '#until') or '0') or 0))
  redis.call('HSET', L, '#until', to)
  redis.call('PEXPIREAT', I, to)
  redis.call('PEXPIREAT', L, to)
  redis.call('PEXPIREAT', X, to)
end

-- bound notes a time before which no hold expires. It need not be exact: it
-- may lag behind, but never be ahead, so that who sees it in the future knows
-- that there is nothing to sweep. Extending moves deadlines on only.
local function bound()
  local first = redis.call('ZRANGEBYSCORE', X, '0', '+inf', 'WITHSCORES', 'LIMIT', '0', '1')
  if first[2] then redis.call('HSET', L, '#due', first[2]) end
end

-- measure notes the longest span of a name and kind.
local function measure(base, span)
  if redis.call('HSET', L, '#span' .. base, text(span)) == 1 then
    redis.call('HINCRBY', L, '#spans', '1')
  end
end

-- slot is the field of the ledger for who holds a name as a key.
local function slot(name)
  return '=' .. name
end

-- unindex takes members out of the index, or of their slots, those that are
-- still there, and forgets the longest span of what nobody uses any more.
local function unindex(members, id)
  for _, m in ipairs(members) do
    local at = #m - #id - EXTENT + 1
    local field = string.byte(m, at) == KEY and slot(string.sub(m, 1, at - 2))
    if not field then
      redis.call('ZREM', I, m)
    elseif redis.call('HGET', L, field) == id then
      redis.call('HDEL', L, field)
    end
  end
  if redis.call('HEXISTS', L, '#spans') == 0 then return end
  for _, m in ipairs(members) do
    local base = string.sub(m, 1, #m - #id - EXTENT + 1) -- name, NUL, kind
    if #redis.call('ZRANGEBYLEX', I, '[' .. base, '(' .. base .. '\255', 'LIMIT', '0', '1') == 0
      and redis.call('HDEL', L, '#span' .. base) == 1 and redis.call('HINCRBY', L, '#spans', '-1') <= 0
    then
      redis.call('HDEL', L, '#spans')
      return
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
  rest()
  return found
end

-- recalls reports whether the hold of this ending was ended by its holder, or
-- with the nonce of somebody who needed no token.
local function recalls(id, ended, nonce, now)
  if nonce then
    ended = score('!' .. nonce .. id, now)
  end
  return ended and ended % 4 == 0
end

