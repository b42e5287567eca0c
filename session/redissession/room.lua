-- SPDX-License-Identifier: MIT
--
-- Prelude of the scripts that insert a record: create.lua and move.lua.

-- stamp completes a template with what the server decides. The revision is the
-- clock's, above that of the record before, and above those that pass noted. The template's
-- created is 0 for a new session, whose absolute field is then a duration; a
-- moved one has both times. Its lease end is a duration too.
local function stamp(template, last)
  local created, absolute = int(template, CREATED, 6), int(template, ABSOLUTE, 6)
  if created == 0 then
    created = now
    if absolute ~= 0 then absolute = now + absolute end
  end
  last = math.max(last, tonumber(redis.call('GET', base .. 'r') or '0'))
  local lease = at(template, LEASE, 8)
  local ends = lease ~= NONE8 and now + int(template, LEASE_END, 6) or 0
  return at(template, 0, REV) .. revision(last) .. at(template, NONCE, 8)
    .. bytes(created, 6) .. bytes(absolute, 6) .. at(template, IDLE, 6) .. times(absolute, int(template, IDLE, 6), now)
    .. at(template, KEEP, 8) .. lease .. bytes(ends, 6) .. string.sub(template, LEASE_END + 7)
end

-- trim takes what has lapsed out of an owner's index and, a few at a time, out of the
-- list of owners, and out of the expiry index what no cleanup came for in time. It
-- comes after the insert: a script whose first write is this one would not be
-- refused when memory is full.
local function trim(u, template)
  if u then redis.call('ZREMRANGEBYSCORE', u, '-inf', now) end
  local o = base .. 'o'
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', o, '(0', now, 'LIMIT', '0', '4')) do
    if owner == '' then redis.call('ZADD', o, '0', '') else redis.call('ZREM', o, owner) end
  end
  local forgotten = now - int(template, KEEP, 4) * 1000 - 1000 -- Redis has had time to forget it, too
  for _, hash in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', forgotten, 'LIMIT', '0', '4')) do
    if redis.call('EXISTS', base .. 'd' .. hash) == 0 then redis.call('ZREM', KEYS[1], hash) end
  end
end

local MOST = 32 -- records that one run ends at most, so that it takes less than a millisecond

-- room makes room among the records of an owner and returns who had to go, or
-- nothing when there is none to be had. except is not counted. Cost: O(log n),
-- and O(limit) for an owner who is at the limit, whose headers are then read. Of an
-- owner far over it, those that lapse first are read, and MOST of them go: the others
-- are left for later runs.
local function room(u, limit, policy, except)
  if limit == 0 or redis.call('ZCOUNT', u, '(' .. now, '+inf') < limit then return {} end
  local live = {}
  for _, hash in ipairs(redis.call('ZRANGEBYSCORE', u, '(' .. now, '+inf', 'LIMIT', 0, limit + MOST - 1)) do
    local head = header(base .. 'd' .. hash)
    if not valid(head) or owned(head) ~= u or deadline(head) <= now then
      disown(u, string.sub(u, #base + 2), hash)
    elseif hash ~= except then
      local order = int(head, policy == 'evict_idlest' and LAST or CREATED, 6)
      live[#live + 1] = {hash = hash, head = head, order = order, rev = at(head, REV, 8)}
    end
  end
  local over = #live - limit + 1
  if over > 0 and policy == 'reject' then return nil end
  table.sort(live, function(a, b) return a.order < b.order or (a.order == b.order and a.rev < b.rev) end)
  local gone = {}
  for i = 1, over do
    local hash = live[i].hash
    gone[i] = hash
    unindex(hash, live[i].head)
    redis.call('DEL', base .. 'd' .. hash)
  end
  return gone
end
