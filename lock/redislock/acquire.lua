-- SPDX-License-Identifier: MIT
--
-- Purpose: grants every part of a claim or none.
--
-- KEYS   as in head.lua
-- ARGV   1 id  2 token  3 ttl in ms  4 longest hold in ms, 0 = no limit
--        5 how many conflicts to name  6 first piece of the record,
--        which has no token yet, and 7 the last;
--        then for each part: 8 its member without the id  9 its capacity
-- Reply  {3}: the claim was given up, or its hold released, or
--        {0, now, expired, {id, ms left, record}}, granted, or granted before
--        {1, now, expired, ms until the first conflict ends,
--          {{part, member, id, ms left, record}, …}}, blocked
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

local id, token, head, tail = ARGV[1], ARGV[2], ARGV[6], ARGV[7]
local ttl, longest, limit = count(ARGV[3]), count(ARGV[4]), count(ARGV[5])
local parts = {}
for a = 8, #ARGV, 2 do
  local member, capacity = ARGV[a], count(ARGV[a + 1])
  local at = #member - EXTENT + 1 -- where its extent begins
  if at < 3 or string.byte(member, at - 1) ~= 0 or not capacity then
    return redis.error_reply('ERR malformed part of a claim')
  end
  local p = { member = member, at = at, capacity = capacity, base = string.sub(member, 1, at) }
  p.from, p.to, p.units = extent(member, at)
  table.insert(parts, p)
end
if #KEYS ~= 5 or not (ttl and longest and limit and tail and number(head, 2)) or #parts == 0 then
  return redis.error_reply('ERR malformed claim')
end

local now, us = clock()
local score = redis.call('ZSCORE', X, id)
if score and tonumber(score) > now then
  local hold = read(id)
  if not hold or hold.token ~= token then
    return redis.error_reply('ERR this id belongs to another hold')
  end
  return { 0, now, {}, { id, tonumber(score) - now, hold.public } }
elseif score and tonumber(score) < 0 then
  return { 3 }
elseif score then
  retire(id, score, now) -- lest its old members live again with the new hold
end
local expired = sweep(now, '64')

-- walk calls see with the members of the index below max and not below min,
-- backwards, until see returns true.
local function walk(max, min, see)
  local page = '1'
  while true do
    local members = redis.call('ZREVRANGEBYLEX', I, max, min, 'LIMIT', '0', page)
    if #members == 0 then return end
    for _, m in ipairs(members) do
      if see(m) then return end
    end
    max, page = '(' .. members[#members], '32'
  end
end

-- live returns what a member stands for if its hold is live, and removes it
-- if not.
local function live(p, m)
  local holder = string.sub(m, p.at + EXTENT)
  local ends = redis.call('ZSCORE', X, holder)
  if not ends or tonumber(ends) <= now then
    redis.call('ZREM', I, m)
    return nil
  end
  local h = { member = m, id = holder, left = tonumber(ends) - now }
  h.from, h.to, h.units = extent(m, p.at)
  return h
end

-- others collects the live members of the part's name that are of another
-- kind. They cannot be compared with the part, so each counts as the whole
-- name; they follow one another in the index, before and after its own kind.
local function others(p)
  local units, found = 0, {}
  local name, kind = string.sub(p.base, 1, -2), string.sub(p.base, -1)
  local function see(m)
    local h = live(p, m)
    if h then
      table.insert(found, h)
      units = units + h.units
    end
    return units + p.units > p.capacity and #found >= limit
  end
  if kind ~= '0' then walk('(' .. p.base, '[' .. name, see) end
  walk('(' .. name .. '\255', '(' .. p.base .. '\255', see)
  return units, found
end

-- overlapping collects the live members of the part's own kind that overlap
-- it.
local function overlapping(p)
  local found = {}
  walk('(' .. p.base .. string.sub(p.member, p.at + 8, p.at + 14), '[' .. p.base, function(m)
    local from, to = extent(m, p.at)
    if to <= p.from then
      return not p.span or from + p.span <= p.from -- nothing earlier reaches the part
    end
    local h = live(p, m)
    if h then table.insert(found, h) end
    return not p.span and h and #found >= limit
  end)
  return found
end

-- busiest returns how many units of found are taken where most are. Ends come
-- before beginnings, so that spans may touch.
local function busiest(p, found)
  local events = {}
  for _, h in ipairs(found) do
    table.insert(events, { math.max(h.from, p.from), h.units })
    table.insert(events, { h.to, -h.units })
  end
  table.sort(events, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  local taken, most = 0, 0
  for _, e in ipairs(events) do
    taken = taken + e[2]
    most = math.max(most, taken)
  end
  return most
end

local blocked, retry, named = false, nil, {}

-- block notes the holds in the way of part n that it has not seen.
local function block(n, holds, seen)
  blocked = true
  for _, h in ipairs(holds) do
    retry = math.min(retry or h.left, h.left)
    if #named < limit and not seen[h.id] then
      seen[h.id] = true
      table.insert(named, { n, h.member, h.id, h.left, public(h.id) })
    end
  end
end

for n, p in ipairs(parts) do
  local known = redis.call('HGET', L, '#span' .. p.base)
  p.span = known and tonumber(known)
  if p.capacity ~= 1 and not p.span then
    -- Nobody measured the spans that are there: any may reach the part.
    local any = redis.call('ZRANGEBYLEX', I, '[' .. p.base, '(' .. p.base .. '\255', 'LIMIT', '0', '1')
    p.span, p.measure = #any > 0 and 2 ^ 53 or 0, true
  end
  local taken, foreign = others(p)
  local own = overlapping(p)
  if taken + busiest(p, own) + p.units > p.capacity then
    local seen = {}
    block(n, own, seen)
    block(n, foreign, seen)
  end
  if blocked and #named >= limit then break end
end
if blocked then
  return { 1, now, expired, retry or 0, named }
end

local left = longest > 0 and math.min(ttl, longest) or ttl
local fence, body = grant(redis.call('HGET', L, '#fence'), now, us, longest, tail)
redis.call('ZADD', X, text(now + left), id)
redis.call('ZREM', U, id)
redis.call('HSET', L, id, stored(head, token, body), '#fence', fence)
for _, p in ipairs(parts) do
  redis.call('ZADD', I, '0', p.member .. id)
  if p.span and (p.measure or p.to - p.from > p.span) then
    measure(p.base, math.max(p.span, p.to - p.from))
  end
end
keep(now, left)
return { 0, now, expired, { id, left, head .. body } }
