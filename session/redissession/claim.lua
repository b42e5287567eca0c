-- SPDX-License-Identifier: MIT
--
-- Takes records of one partition that are due: first those set aside whose claim
-- ran out or never was, then those whose deadline has passed, oldest first. An
-- entry of the index is a hint; the record decides.
--
-- KEYS   1 expiry index x, 2 claims c, 3 backlog b
-- ARGV   1 at most, 2 claimed for ms, 3 payload ('1' = keep and hand it out, '0' =
--        remove now), 4 quarantine ms (0 = delete), 5 quarantine bytes at most,
--        6 bytes of records after which no further one is handed out
-- Reply  {entries looked at, entries corrected, 1 = it stopped for the bytes,
--        {reason, hash, attempt, record}…}
-- Cost   O(at most · log n). The keys of records are derived from the members of
--        the indexes: base and hash tag are KEYS[1]'s, hence the same slot.
--        A run after a lost reply hands out other records; those of the lost one
--        come back when their claim runs out, or are gone when they were removed.

local most, lasting, whole = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local room, longest = tonumber(ARGV[6]), 0
local reply = {0, 0, 0}

local function report(reason, hash, attempt, raw)
  reply[#reply + 1] = {reason, hash, attempt, raw}
end

local function reason(head)
  return deadline(head) == int(head, ABSOLUTE, 6) and 'absolute' or 'idle'
end

-- full reports whether so much was handed out that no more is looked at.
local function full()
  if room > 0 then return false end
  reply[3] = 1
  return true
end

-- hand gives out a record that has been set aside. It enters it in the backlog
-- again, from which an eviction may have taken it. The payload is read once, at
-- the end: each copy of it costs time.
local function hand(id, head)
  local key, attempt = base .. 'e' .. id, int(head, ATTEMPTS, 2) + 1
  redis.call('SETRANGE', key, ATTEMPTS, bytes(attempt, 2))
  local till = now + lasting + int(head, KEEP, 4) * 1000
  longest = math.max(longest, till)
  await(id, head, now + lasting)
  outlive(key, till)
  local raw = read(key)
  room = room - #raw
  report(reason(head), at(id, 0, 16), attempt, raw)
end

-- unreadable reports an entry without a record, or with bytes that are none.
local function unreadable(key, hash, raw)
  if raw == '' then return report('vanished', hash, 1, '') end
  discard(key, hash, tonumber(ARGV[4]), tonumber(ARGV[5]))
  report('invalid_format', hash, 1, '')
end

local function settled(id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end

unrefused()
-- Whatever is in the backlog has a claim. When Redis evicted the claims, the
-- oldest of the backlog are those that were lost: they are due now.
if redis.call('ZCARD', KEYS[2]) < redis.call('ZCARD', KEYS[3]) then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, most - 1)) do
    redis.call('ZADD', KEYS[2], 'NX', now, id)
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, most)) do
  if full() then break end
  reply[1] = reply[1] + 1
  local key, hash = base .. 'e' .. id, at(id, 0, 16)
  local head = header(key)
  if not valid(head) then
    settled(id)
    unreadable(key, hash, head)
  elseif whole then
    hand(id, head)
  else
    settled(id)
    redis.call('DEL', key)
    report(reason(head), hash, int(head, ATTEMPTS, 2) + 1, head)
  end
end

local rest = most - reply[1]
for _, hash in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, rest)) do
  if full() then break end
  reply[1] = reply[1] + 1
  local key = base .. 'd' .. hash
  local head = header(key)
  if not valid(head) then
    unindex(hash, head)
    unreadable(key, hash, head)
  elseif deadline(head) > now then
    index(hash, head)
    reply[2] = reply[2] + 1
  elseif whole then
    hand(aside(key, hash, head), head)
  else
    unindex(hash, head)
    redis.call('DEL', key)
    report(reason(head), hash, 1, head)
  end
end
if longest > 0 then keep(longest) end
return reply
