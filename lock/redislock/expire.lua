-- SPDX-License-Identifier: MIT
--
-- What is due: holds that expired, and inboxes that were not seen for some
-- time.
--
-- KEYS  as in head.lua

local removes = 1024 -- parts of ended holds and of places that one script removes, and those of one more

-- queued reads where a claim stands in the queue, and behind what a script is to
-- look for others in its way; nil when it has no place.
local function queued(id)
  local known = redis.call('HMGET', L, '?' .. id, '^' .. id)
  local place, w, p, from = known[1], { id = id, members = {}, behind = known[2] }
  if not place then return nil end
  w.seq, p = number(place, 1)
  if p then w.inbox, p = field(place, p) end
  from = p
  if p then w.members, p = members(place, p) end
  if p then w.claim, w.rest = string.sub(place, from, p - 1), string.sub(place, p) end
  return w
end

-- count adds n to the number of members that a name has in the queue. The field is
-- there only while there are any.
local function count(name, n)
  if redis.call('HINCRBY', L, '+' .. name, text(n)) <= 0 then redis.call('HDEL', L, '+' .. name) end
end

-- leave takes a claim out of the queue, with all its members. Its parts count
-- as freed unless it is granted.
local function leave(w, granted)
  redis.call('HDEL', L, '?' .. w.id, '^' .. w.id)
  for _, m in ipairs(w.members or {}) do
    local at = #m - EXTENT
    if redis.call('ZREM', Q, string.sub(m, 1, at) .. turn(w.seq) .. string.sub(m, at + 1) .. w.id) == 1 then
      count(string.sub(m, 1, at - 1), -1)
    end
    if not granted then free(m) end
  end
  if w.inbox then redis.call('ZREM', Q, '\0' .. w.inbox .. '\0' .. w.id) end
end

-- shed is leave for a claim that does not count. What is beyond removes is left
-- to later scripts.
local function shed(w)
  if removes <= 0 then return end
  removes = removes - #(w.members or {})
  leave(w)
end

-- drop removes an inbox and its places, 128 of them at a time. The rest are
-- due again at once.
local function drop(inbox)
  local prefix = '\0' .. inbox .. '\0'
  local places = redis.call('ZRANGEBYLEX', Q, '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', '0', '128')
  local rest = #places == 128
  for _, m in ipairs(places) do
    if removes <= 0 then
      rest = true
      break
    end
    local w = queued(string.sub(m, #prefix + 1))
    if w then shed(w) else redis.call('ZREM', Q, m) end
  end
  if rest then
    redis.call('ZADD', X, text(now), '@' .. inbox)
  else
    redis.call('ZREM', X, '@' .. inbox)
  end
  bound()
end

-- retire moves one expired hold to the unrecorded ones. A process that did not
-- confirm a grant gets no other: its places go, too. A record moves from its slot to
-- its id.
local function retire(handle, deadline)
  local hold = read(handle)
  if not hold then return vacate(unreadable(handle)) end
  removes = removes - #hold.members
  detail(hold)
  vacate(hold)
  if hold.inbox == '.' then -- it was released before, and its claim may arrive again
    remember(hold.id, 0)
    return
  elseif (hold.provisional or '') ~= '' then
    drop(hold.provisional)
  end
  hold.handle = hold.id
  write(hold)
  redis.call('ZADD', U, deadline, hold.id)
  redis.call('PEXPIREAT', U, text(lives)) -- as the ledger with its records
end

-- current returns the score of an id, and its hold if that is live. An expired one
-- is retired, since the sweep may not come to it. Then the score is nil, or that
-- of an ending.
local function current(id, name)
  local hold = find(id, name)
  if not hold and string.byte(id) == KEY and read(id) then return nil end -- another has the slot by now
  local handle = hold and hold.handle or id
  local s = score(handle)
  if s and s > now then return s, hold end
  if s and s >= 0 then
    retire(handle, text(s))
    s = score(id)
  end
  return s
end

-- sweep retires up to limit expired holds and inboxes. An unrecorded hold is
-- forgotten when it is too old or there are too many.
local function sweep(limit)
  forget(1024)
  if due > now then return end
  local ended = redis.call('ZRANGEBYSCORE', X, '0', text(now), 'WITHSCORES', 'LIMIT', '0', limit)
  for k = 1, #ended, 2 do
    if removes <= 0 then break end
    if string.sub(ended[k], 1, 1) == '@' then
      drop(string.sub(ended[k], 2))
    else
      retire(ended[k], ended[k + 1])
    end
  end
  bound()
  if #ended == 0 then return end
  local old = redis.call('ZRANGEBYSCORE', U, '-inf', text(now - WEEK), 'LIMIT', '0', limit)
  local over = redis.call('ZCARD', U) - #old - UNRECORDED
  if over > 0 then
    old = redis.call('ZRANGE', U, '0', text(#old + over - 1))
  end
  for _, id in ipairs(old) do
    redis.call('ZREM', U, id)
    redis.call('HDEL', L, id)
  end
end

