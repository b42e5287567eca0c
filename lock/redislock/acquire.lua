-- SPDX-License-Identifier: MIT
--
-- Purpose: grants every part of a claim or none.
--
-- KEYS   as in head.lua
-- ARGV   1 id  2 ttl in ms, no more than  3 longest hold in ms, 0 = no limit
--        4 how many conflicts to name  5 first piece of the record and 6 the
--        last  7 how to wait: "" not at all, "?" not yet but in turn, or a
--        channel as in queue.lua; then for each part: 8 its member without the
--        id  9 its capacity
-- Reply  {3}: the claim was given up, or its hold released, or
--        {0, now, expired, {id, ms left, record}}, granted, or granted before
--        {1, now, expired, ms until it is worth another try, place in the
--          queue, {{part, member, id, ms left, record}, …}}, blocked
--        expired is {{id, ms left, record}, …}; a record has no token in it
-- Cost   O(log N) for each part whose capacity is 1, N the members of the
--        index: their spans are disjoint, the dead ones included, because a
--        grant removes every dead span it meets. So they are sorted by their
--        ends, too; the walk back stops at the first that ends before the
--        part begins, and each further step removes a dead member or meets a
--        conflict. Else O(log N + m log m), m the members that begin between
--        (from - longest span) and to. Up to 64 expired holds are swept.

local function count(s)
  local n = tonumber(s)
  return n and n >= 0 and n == math.floor(n) and n or nil
end

local id, head, tail, way = ARGV[1], ARGV[5], ARGV[6], ARGV[7]
local ttl, longest, limit = count(ARGV[2]), count(ARGV[3]), count(ARGV[4])
local token = head and field(head, 2)
local parts = {}
for a = 8, #ARGV, 2 do
  local p = part(ARGV[a], count(ARGV[a + 1]))
  if not p then return redis.error_reply('ERR malformed part of a claim') end
  table.insert(parts, p)
end
if #KEYS ~= 5 or not (ttl and longest and limit and token) or #parts == 0 then
  return redis.error_reply('ERR malformed claim')
end

local ends = score(id, now)
if ends and ends > now then
  local hold = read(id)
  if not hold or hold.token ~= token then
    return redis.error_reply('ERR this id belongs to another hold')
  end
  return { 0, now, {}, { id, ends - now, hold.public } }
elseif ends and ends < 0 then
  return { 3 }
elseif ends then
  retire(id, text(ends), now) -- lest its old members live again with the new hold
end
local expired = sweep(now, '64')
local queued = redis.call('HEXISTS', L, '#queue') == 1

local retry, named = obstacles(parts, limit)
local first = queued and way ~= '' and ahead(id, parts)
if retry or first then
  local place = 0
  if #way > 1 then place = enqueue(id, way, parts) end
  if #expired > 0 then wake() end
  return { 1, now, expired, first or retry, place, named }
end

local last = tonumber(redis.call('HGET', L, '#fence') or '0') or 0
local fence = math.max(last + 1, us)
local lag = math.max(math.floor(fence / 1000) - now, 0)
local body = text(fence) .. ',' .. nonzero(lag) .. ',' .. nonzero(longest > 0 and now + longest or 0) .. ',,:' .. tail
redis.call('ZADD', X, text(now + ttl), id)
redis.call('ZREM', U, id)
redis.call('HSET', L, id, head .. body, '#fence', text(fence))
for _, p in ipairs(parts) do
  if p.key then
    redis.call('HSET', L, p.key, id)
  else
    redis.call('ZADD', I, '0', p.member .. id)
  end
  if p.span and (p.measure or p.to - p.from > p.span) then
    measure(p.base, math.max(p.span, p.to - p.from))
  end
end
keep(now, ttl)
bound()
if queued then
  leave(id)
  wake() -- those whom this one stood before
end
return { 0, now, expired, { id, ttl, public(id) } }
