-- SPDX-License-Identifier: MIT
--
-- Who waits, in which order, and what is granted to them when it is freed.
--
-- A waiter has a place: a record in the ledger, one member of the queue for
-- each part of its claim, in the order of arrival by name, and one for its
-- inbox. A place counts as long as its inbox does, which each ping prolongs.
-- An inbox is a channel behind one character: "!" when the number of subscribers
-- that PUBSUB NUMSUB returns is exact, which it is not in a Cluster, else "=".
--
-- KEYS  as in head.lua

local SEQUENCE = 16  -- digits of a turn
local looks = 128    -- waiters that one script looks at
local weighed = 512  -- parts of waiters that one script looks at
local passes = 8192  -- members of the queue that one script goes over, at about a microsecond each

-- present reports whether an inbox was seen lately, and removes it if not.
local inboxes = {}
local function present(inbox)
  if inboxes[inbox] == nil then
    local ends = redis.call('ZSCORE', X, '@' .. inbox)
    inboxes[inbox] = ends and tonumber(ends) > now or false
    if ends and not inboxes[inbox] then drop(inbox) end
  end
  return inboxes[inbox]
end

-- waiter reads the place of an id; nil when it has none or does not count.
local function waiter(id)
  local w = queued(id)
  if not w then return nil end
  local p, capacity = w.rest and 1
  if p then w.ttl, p = number(w.rest, p) end
  if p then w.longest, p = number(w.rest, p) end
  if p then w.keep, p = number(w.rest, p) end
  if p then w.token, p = field(w.rest, p) end
  w.parts = {}
  for k, m in ipairs(w.members or {}) do
    if p then capacity, p = number(w.rest, p) end
    if p then w.parts[k] = part(m, capacity) end
  end
  if not p or not present(w.inbox) then
    passes = passes - #(w.members or {})
    shed(w)
    return nil
  end
  w.tail = string.sub(w.rest, p)
  return w
end

-- meets reports whether a part overlaps that of a member of the queue, and
-- has to wait for it.
local function meets(p, m)
  local at = #p.name + SEQUENCE + 1
  local kind = string.byte(m, at)
  if p.shared and string.sub(m, at + 15, at + 18) == '\0\0\0\0' then return false end
  if kind ~= p.kind or kind == KEY or kind == 48 then return true end
  local from, to = extent(m, at)
  return from < p.to and p.from < to
end

-- each calls see with the members of a name in the queue, in order, until see
-- returns true.
local function each(from, to, see)
  local page = '2'
  while true do
    local found = redis.call('ZRANGEBYLEX', Q, from, to, 'LIMIT', '0', page)
    for _, m in ipairs(found) do
      passes = passes - 1
      if see(m) then return end
    end
    if #found < tonumber(page) then return end
    from, page = '(' .. found[#found], '128'
  end
end

-- whose is the id of the waiter behind a member of the queue.
local function whose(p, m)
  return string.sub(m, #p.name + SEQUENCE + EXTENT + 1)
end

-- ahead reports whether a claim has to let another waiter pass: one that came
-- before it, or any when it has no place yet. When this script has gone over too
-- much of the queue, ahead reports so, too, and w.passed is how far it came: what
-- comes before that is never in the way of w again.
local function ahead(w, seq)
  local k, found, last = 1
  if w.behind then
    k, last = string.match(w.behind, '^(%d+),(.*)')
    k = tonumber(k)
  end
  while w.parts[k] do
    local p = w.parts[k]
    each(last and '(' .. last or '[' .. p.name, '(' .. p.name .. (seq and turn(seq) or '\255'), function(m)
      if passes < 0 then
        w.passed = text(k) .. ',' .. (last or p.name)
        found = true
      else
        found, last = meets(p, m), m
        if found then
          passes = passes - 16
          found = waiter(whose(p, m)) ~= nil
        end
      end
      return found
    end)
    if found then return true end
    k, last = k + 1, nil
  end
  return false
end

-- enqueue gives a claim its place and returns it, counted from 1, or keeps the
-- one that it has at seq. It returns 0 when a name has no place left.
local function enqueue(w, seq)
  w.seq = seq or rising('#seq')
  local stamp, most = turn(w.seq), 0
  for _, p in ipairs(w.parts) do
    local n = redis.call('ZLEXCOUNT', Q, '[' .. p.name, '(' .. p.name .. stamp)
    if not seq and n >= MOST then return 0 end
    most = math.max(most, n + 1)
  end
  redis.call('ZADD', X, text(now + PRESENT), '@' .. w.inbox)
  inboxes[w.inbox] = true
  keep(PRESENT)
  if seq then return most end
  local place = { stamp .. ',' .. put(w.inbox) .. w.claim .. text(w.ttl) .. ',' .. nonzero(w.longest) .. ',' .. nonzero(w.keep) .. ',' .. put(w.token) }
  local entries = { '0', '\0' .. w.inbox .. '\0' .. w.id }
  for _, p in ipairs(w.parts) do
    table.insert(place, text(p.capacity) .. ',')
    table.insert(entries, '0')
    table.insert(entries, p.name .. stamp .. string.sub(p.member, p.at) .. w.id)
    count(p.bare, 1)
  end
  redis.call('ZADD', Q, unpack(entries))
  redis.call('HSET', L, '#seq', stamp, '?' .. w.id, table.concat(place) .. w.tail)
  redis.call('PEXPIREAT', Q, text(lives))
  return most
end

-- grant records the hold of a claim, of which no part has an obstacle, and
-- returns it. The inbox begins with "?" when the grant is to be confirmed.
local function grant(w, ttl, inbox)
  local fence, id, handle = rising('#fence'), w.id, w.parts[1].key or w.id
  local hold = {
    id = id, handle = handle, version = '1', proof = w.token, parts = w.claim, tail = w.tail,
    fence = fence, lag = math.max(math.floor(fence / 1000) - now, 0),
    ends = w.longest > 0 and now + w.longest or 0, keep = w.keep > 0 and now + w.keep or 0,
    extensions = 0, nonce = '', inbox = inbox, members = {},
  }
  if handle ~= id and redis.call('HEXISTS', L, handle) == 1 then -- that of an expired hold, which no sweep has met yet
    retire(handle, redis.call('ZSCORE', X, handle) or text(now))
    bound() -- X may be gone
  end
  redis.call('ZADD', X, text(now + ttl), handle)
  keep(ttl)
  redis.call('ZREM', U, id)
  if handle ~= id then redis.call('HDEL', L, id) end -- of an expired hold
  for k, p in ipairs(w.parts) do
    hold.members[k] = p.member
    if not p.key then
      redis.call('ZADD', I, '0', p.member .. id)
      redis.call('PEXPIREAT', I, text(lives))
    end
    if p.span and (p.measure or p.to - p.from > p.span) then
      measure(p.base, math.max(p.span, p.to - p.from))
    end
  end
  store(hold, { '#fence', text(fence) })
  return hold
end

-- deaf reports whether no one receives what is published to an inbox, as far as
-- that is known. It has to be known before: a message cannot be taken back, and
-- replicas pass it on to those who subscribe there.
local function deaf(inbox)
  if string.byte(inbox) ~= 33 then return false end
  local receivers = redis.pcall('PUBSUB', 'NUMSUB', string.sub(inbox, 2))
  return receivers[2] == 0
end

-- hand grants to a waiter, until it confirms. It returns false when the server
-- does not let this script publish: then those who wait have to ask.
local function hand(w)
  if deaf(w.inbox) then
    leave(w)
    drop(w.inbox) -- so that the next ping has all of it ask, if it lives
    return true
  end
  local ttl = math.min(w.ttl, TRIAL)
  local hold = grant(w, ttl, '?' .. w.inbox)
  local message = w.id .. ' ' .. text(now + ttl) .. ' ' .. text(hold.fence) .. ',' .. nonzero(hold.lag) .. ','
  if type(redis.pcall('PUBLISH', string.sub(w.inbox, 2), message)) == 'table' then
    vacate(hold)
    redis.call('HSET', L, '#mute', text(now))
    return false
  end
  mark(hold, w.inbox)
  leave(w, true)
  for _, p in ipairs(w.parts) do
    if p.capacity ~= 1 or p.shared then free(p.member) end -- the next one may fit beside it
  end
  return true
end

-- rest has what this script does not come to: members, and behind which member
-- of the queue to go on.
local rest = {}

local function postpone(m, behind, w)
  rest[#rest + 1] = put(m) .. put(behind)
  if w then redis.call('HSET', L, '^' .. w.id, w.passed) end
end

-- left calls see with what earlier scripts did not come to, and reports whether
-- there is any.
local function left(see)
  local more, p, m, behind = redis.call('HGET', L, '#more'), 1
  while more and p and p <= #more do
    m, p = field(more, p)
    if p then behind, p = field(more, p) end
    if p then see(m, behind) end
  end
  return more
end

-- serve hands what was freed to those who wait for it: to each waiter that no
-- hold and no earlier waiter is in the way of, in order. What it does not come
-- to is left in the ledger for the next confirmation or ping. It reports
-- whether it handed anything out.
local function serve()
  local muted, handed, at = false, false, 1
  while freed[at] and not muted do
    local m = freed[at]
    local p, behind = part(m, 1), from[m]
    at, from[m] = at + 1, nil
    if looks <= 0 or weighed <= 0 or passes < 0 then
      postpone(m, behind)
    elseif p and redis.call('HEXISTS', L, '+' .. p.bare) == 1 then
      p.shared = false
      each(behind == '' and '[' .. p.name or '(' .. behind, '(' .. p.name .. '\255', function(q)
        if looks <= 0 or weighed <= 0 or passes < 0 then
          postpone(m, behind)
          return true
        end
        local before = behind
        behind = q
        if not meets(p, q) then return false end
        looks = looks - 1
        local w = waiter(whose(p, q))
        if not w then return false end
        weighed = weighed - #w.parts
        local only = #w.parts == 1 and not w.parts[1].shared and w.parts[1]
        local all = only and (only.kind == KEY or only.kind == 48) -- then those behind wait for it
        if obstacles(w.parts, 1) then return all end
        if ahead(w, w.seq) then
          if w.passed then postpone(m, before, w) end
          return w.passed or all
        end
        muted = not hand(w)
        handed = handed or not muted
        return muted or all and only.capacity == 1
      end)
    end
  end
  freed, from = {}, {}
  if #rest > 0 then
    local known = {}
    for _, entry in ipairs(rest) do known[entry] = true end
    left(function(m, behind)
      local entry = put(m) .. put(behind)
      if not known[entry] then rest[#rest + 1] = entry end
    end)
    redis.call('HSET', L, '#more', table.concat(rest))
    rest = {}
  end
  return handed
end

-- again takes up what an earlier script did not come to.
local function again()
  if left(free) then redis.call('HDEL', L, '#more') end
end

