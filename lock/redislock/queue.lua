-- SPDX-License-Identifier: MIT
--
-- Who waits, in which order, and who is told that the time has come.
--
-- A waiter has a place in the queue and a record among the fields of the
-- ledger: until when the place lasts, the channel to wake it by, and the parts
-- of its claim. Each try makes the place last longer; so the dead drop out.
-- A channel begins with "!" when the number of receivers that PUBLISH returns
-- is the truth, which it is not in a Cluster.
--
-- KEYS  as in head.lua

local PATIENCE = 3000 -- how long a place lasts, in ms

local function leave(id)
  if redis.call('ZREM', Q, id) == 1 then
    redis.call('HDEL', L, '#wait' .. id)
    if redis.call('EXISTS', Q) == 0 then redis.call('HDEL', L, '#queue') end
  end
end

-- enqueue gives a waiter its place, or keeps it, and returns it.
local function enqueue(id, channel, parts)
  local last = redis.call('ZREVRANGE', Q, '0', '0', 'WITHSCORES')
  redis.call('ZADD', Q, 'NX', text(math.max(us, (tonumber(last[2] or '0') or 0) + 1)), id)
  local record = { text(now + PATIENCE) .. ',' .. text(#channel) .. ':' .. channel }
  for _, p in ipairs(parts) do
    table.insert(record, text(#p.member) .. ':' .. p.member .. text(p.capacity) .. ',')
  end
  redis.call('HSET', L, '#wait' .. id, table.concat(record), '#queue', '1')
  local to = redis.call('HGET', L, '#until') or text(now + WEEK)
  redis.call('PEXPIREAT', Q, to)
  redis.call('PEXPIREAT', L, to)
  return redis.call('ZRANK', Q, id) + 1
end

-- waiter returns the waiter of that id, or removes it if it is dead.
local function waiter(id)
  local record = redis.call('HGET', L, '#wait' .. id) or ''
  local w, p, member, capacity = { id = id, parts = {} }
  w.ends, p = number(record, 1)
  if not p or w.ends <= now then
    leave(id)
    return nil
  end
  w.channel, p = field(record, p)
  while p and p <= #record do
    member, p = field(record, p)
    if p then capacity, p = number(record, p) end
    table.insert(w.parts, p and part(member, capacity))
  end
  return w
end

-- meet reports whether two claims overlap.
local function meet(a, b)
  for _, p in ipairs(a) do
    for _, o in ipairs(b) do
      if p.name == o.name and (p.base ~= o.base or p.from < o.to and o.from < p.to) then return true end
    end
  end
  return false
end

-- each calls see with the living waiters, in order, until it returns true.
local function each(see)
  for _, id in ipairs(redis.call('ZRANGE', Q, '0', '-1')) do
    local w = waiter(id)
    if w and see(w) then return end
  end
end

-- ahead returns how long the first waiter whom the claim has to let pass keeps
-- its place, in ms, or nil.
local function ahead(id, parts)
  local left = nil
  each(function(w)
    if w.id == id then return true end
    if meet(w.parts, parts) then left = w.ends - now end
    return left
  end)
  return left
end

-- wake tells those who can go: whom no hold is in the way of, and no earlier
-- waiter. It looks at the first 64.
local function wake()
  local before, n = {}, 0
  each(function(w)
    n = n + 1
    local passed = true
    for _, b in ipairs(before) do
      if meet(b, w.parts) then
        passed = false
        break
      end
    end
    if passed and not obstacles(w.parts, 1) and redis.call('PUBLISH', string.sub(w.channel, 2), w.id) == 0
      and string.sub(w.channel, 1, 1) == '!'
    then
      leave(w.id) -- nobody is there
    elseif passed then
      table.insert(before, w.parts)
    end
    return n >= 64
  end)
end

