-- SPDX-License-Identifier: MIT
--
-- Purpose: grants every part of a claim or none. A claim that is blocked and
-- may wait gets a place in the queue in the same step.
--
-- KEYS   as in head.lua
-- ARGV   1 id  2 ttl in ms, no more than  3 longest hold in ms, 0 = no limit
--        4 shortest hold in ms  5 how many conflicts to name  6 first piece of
--        the record and 7 the last  8 how to wait: "" not at all, "?" in turn
--        but without a place, or an inbox as in queue.lua  9 with an inbox,
--        the time in ms from which on this claim is refused; then for each
--        part: 10 its member without the id  11 its capacity
-- Reply  {3, now}: the claim was given up, or its hold released, or it came
--          too late, or
--        {0, now, expired, {id, ms left, record}}, granted, or granted before
--        {1, now, expired, ms until the first obstacle ends, place in the
--          queue or 0, 1 when the queue is full, {{part, member, id, ms left,
--          record}, …}}, blocked
--        expired is {{id, ms left, record}, …}, up to 16 that were not recorded
--        yet; a record has no token in it
-- Cost   O(log N) for each part whose capacity is 1, N the members of the
--        index: their spans are disjoint, the dead ones included, because a
--        grant removes every dead span it meets. So they are sorted by their
--        ends, too; the walk back stops at the first that ends before the
--        part begins, and each further step removes a dead member or meets a
--        conflict. Else, and for shared ones, O(log N + m log m), m the
--        members that begin between (from - longest span) and to. One who
--        waits for a key or units looks at the first other waiter of the name,
--        one who waits for a span at those that came before. Up to 64 expired
--        holds are swept, and what they free is served as in queue.lua.

local function whole(s)
  local n = tonumber(s)
  return n and n >= 0 and n == math.floor(n) and n or nil
end

local w, way, latest, limit, begin = { id = ARGV[1], tail = ARGV[7], parts = {} }, ARGV[8], whole(ARGV[9]), whole(ARGV[5])
w.ttl, w.longest, w.keep = whole(ARGV[2]), whole(ARGV[3]), whole(ARGV[4])
if ARGV[6] then w.token, begin = field(ARGV[6], 2) end
for a = 10, #ARGV, 2 do
  local p = part(ARGV[a], whole(ARGV[a + 1]))
  if not p then return redis.error_reply('ERR malformed part of a claim') end
  table.insert(w.parts, p)
end
if #KEYS ~= 5 or not (w.ttl and w.longest and w.keep and limit and w.token) or #w.parts == 0 or #way > 1 and not latest then
  return redis.error_reply('ERR malformed claim')
end
w.claim, w.inbox = string.sub(ARGV[6], begin), way
local name = w.parts[1].bare
if w.parts[1].key then w.claim = '=' .. put(name) end

local ends, hold = current(w.id, name)
if ends and ends < 0 or not ends and #way > 1 and now >= latest then
  if not serve() then bound() end -- what this claim held may just have expired
  return { 3, now }
end
sweep('64')
local served = serve()

local expired, old = {}, redis.call('ZRANGE', U, '0', '15', 'WITHSCORES')
for k = 1, #old, 2 do
  table.insert(expired, shown(old[k], old[k + 1]))
end

if served then ends, hold = current(w.id, name) end -- it may have been granted just now
if ends and ends > 0 then
  if not hold or not proves(w.token, hold) then
    return redis.error_reply('ERR this id belongs to another hold')
  end
  if detail(hold) and hold.inbox == '.' then return { 3, now } end
  return { 0, now, expired, { w.id, ends - now, hold.public } }
end

local place = queued(w.id)
w.behind = place and place.behind
local retry, named = obstacles(w.parts, limit)
if retry or way ~= '' and ahead(w, place and place.seq) then
  if place and redis.call('HEXISTS', L, '?' .. w.id) == 0 then place = nil end -- its inbox was dropped meanwhile
  local n = #way > 1 and enqueue(w, place and place.seq)
  if w.passed and (n or 0) > 0 then postpone(w.parts[1].member, w.parts[1].name .. turn(w.seq), w) end
  serve()
  return { 1, now, expired, retry or 0, n or 0, n == 0 and 1 or 0, named }
end

local ttl, trial = w.ttl, #way > 1 -- then it may have had a place before, and be gone
if trial then ttl = math.min(ttl, TRIAL) end
hold = grant(w, ttl, trial and '?' .. way or '')
if trial then mark(hold, way) end
if place then leave(place) end
serve() -- a dead waiter may have been in the way
return { 0, now, expired, { w.id, ttl, hold.public } }
