-- SPDX-License-Identifier: MIT
--
-- Comes after clock.lua in every script: the indexes of one partition, and what
-- recording activity needs.
--
-- KEYS[1] is always the expiry index "…:{p}:x". Keys that only the data name
-- are made by appending to its base: they keep its hash tag, so they are in
-- its slot, whatever is appended.

local char = string.char
local KIND, ABSOLUTE, KEEP, OWNER = 4, 30, 54, 76
local NONE16 = string.rep(char(0), 16)
local base = string.sub(KEYS[1], 1, -2)

-- six writes what ms reads.
local function six(n)
  local high, low = floor(n / 16777216), n % 16777216
  return char(floor(high / 65536), floor(high / 256) % 256, high % 256, floor(low / 65536), floor(low / 256) % 256, low % 256)
end

-- times writes the last activity and when the record lapses, in ms: the only place
-- that knows that rule. A record without both deadlines has lapsed: nothing lives for
-- ever.
local function times(absolute, idle, last)
  local ends = last + idle
  if idle == 0 or (absolute ~= 0 and absolute < ends) then ends = absolute end
  return six(last) .. six(ends)
end

-- expiry is when Redis itself may forget the record: the safety net.
local function expiry(head)
  local a, b, c, d = byte(head, KEEP + 1, KEEP + 4)
  return deadline(head) + (((a * 256 + b) * 256 + c) * 256 + d) * 1000
end

-- outlive makes a key live until a time at least.
local function outlive(key, till)
  if redis.call('PTTL', key) < till - now then redis.call('PEXPIREAT', key, till) end
end

-- owned returns the index of a record's owner, and the owner, if it has one.
local function owned(head)
  local owner = string.sub(head, OWNER + 1, OWNER + 16)
  if owner ~= NONE16 and byte(head, KIND + 1) == 0 then return base .. 'u' .. owner, owner end
end

-- Redis may evict the index of an owner, which then comes back with only those of
-- its records that are used. So the key o, which is there as long as x, has for
-- each owner the time until which its index is there; '-' and the owner where an
-- index was lost, with the time until which records may be missing in it; and ''
-- with the time until which that is so for all owners, since o was lost. Then all
-- that have not been used meanwhile, and so entered again, have lapsed.

-- evicts reports whether the server has evicted keys, if it may be asked.
local function evicts()
  local info = redis.pcall('INFO', 'stats')
  return type(info) == 'string' and string.find(info, 'evicted_keys:[1-9]')
end

-- owners makes o live as long as x, which lives for so many ms, and is new or not.
-- Where both are new, there was nothing before, or both were evicted.
local function owners(left, new)
  local o = base .. 'o'
  local has = redis.call('PTTL', o)
  if has == -2 then redis.call('ZADD', o, new and not evicts() and 0 or now + left, '') end
  if has < left then redis.call('PEXPIREAT', o, now + left) end
  return o
end

local function score(key, member) return tonumber(redis.call('ZSCORE', key, member) or '0') end

-- index enters a live record where it is found: every write and touch does so,
-- which heals what an eviction took. Each index outlives its members, by an eighth
-- of their time, so that a touch seldom has to see to that.
local function index(hash, head)
  local ends, till, u, owner = deadline(head), expiry(head), owned(head)
  local further = till + floor((till - now) / 8)
  redis.call('ZADD', KEYS[1], ends, hash)
  local left = redis.call('PTTL', KEYS[1])
  local new, o = left < 0, nil
  if left < till - now then
    left = further - now
    if new then left = math.max(left, redis.call('PTTL', base .. 'o')) end
    redis.call('PEXPIREAT', KEYS[1], now + left)
    o = owners(left, new)
  end
  if not u then return end
  if redis.call('ZADD', u, ends, hash) == 1 and redis.call('ZCARD', u) == 1 then
    o = o or owners(left, new)
    local lost = score(o, owner)
    if lost > now then redis.call('ZADD', o, 'GT', lost, '-' .. owner) end
  end
  if redis.call('PTTL', u) < till - now then
    redis.call('PEXPIREAT', u, further)
    redis.call('ZADD', o or owners(left, new), further, owner)
  end
end

-- touch records activity in place, in a record or its header, and returns the times
-- that it has written. Its first write needs no memory, so the others are not refused
-- when that is full.
local function touch(key, hash, raw)
  local part = times(ms(raw, ABSOLUTE), ms(raw, IDLE), now)
  local head = string.sub(raw, 1, LAST) .. part .. string.sub(raw, LAST + 13, HEADER)
  redis.call('PEXPIREAT', key, expiry(head))
  redis.call('SETRANGE', key, '42', part)
  index(hash, head)
  return part
end

