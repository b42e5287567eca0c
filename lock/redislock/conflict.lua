-- SPDX-License-Identifier: MIT
--
-- Which holds are in the way of a claim.
--
-- KEYS  as in head.lua

-- part is one part of a claim: what its member says, without an id. No units
-- means shared: beside other shared ones it needs no room, and beside any
-- other it takes all there is.
local function part(member, capacity)
  local at = #member - EXTENT + 1 -- where its extent begins
  if at < 3 or string.byte(member, at - 1) ~= 0 or not capacity then return nil end
  local p = { member = member, at = at, capacity = capacity, base = string.sub(member, 1, at) }
  p.name, p.bare, p.kind = string.sub(member, 1, at - 1), string.sub(member, 1, at - 2), string.byte(member, at) -- the name with and without the NUL
  if p.kind == KEY then
    p.key, p.units = slot(p.bare), 1
    return p
  end
  p.from, p.to, p.units = extent(member, at)
  p.shared, p.units = p.units == 0, math.max(p.units, 1)
  return p
end

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

-- live returns what a member stands for if its hold is live and counts for the
-- part, and removes it if it is dead.
local function live(p, m)
  local id = string.sub(m, p.at + EXTENT)
  local ends = redis.call('ZSCORE', X, id)
  if not ends or tonumber(ends) <= now then
    redis.call('ZREM', I, m)
    return nil
  end
  local h = { member = m, handle = id, left = tonumber(ends) - now }
  h.from, h.to, h.units = extent(m, p.at)
  if h.units == 0 and p.shared then return nil end
  if h.units == 0 or p.shared then h.units = p.capacity end
  return h
end

-- keyholder returns who holds the part's name as a key.
local function keyholder(p)
  local handle = slot(p.bare)
  local ends = tonumber(redis.call('ZSCORE', X, handle) or nil)
  if not ends or ends <= now then return nil end
  return { member = p.name .. WHOLE, handle = handle, left = ends - now, units = p.shared and p.capacity or 1 }
end

-- others collects the live members of the part's name that are of another
-- kind, the key's among them. They cannot be compared with the part, so each
-- counts as the whole name. They follow one another in the index, before and
-- after its own kind; for a key, all members are others.
local function others(p, limit)
  local units, found = 0, {}
  local key = keyholder(p)
  if key then units, found = key.units, { key } end
  local name, kind = string.sub(p.base, 1, -2), string.sub(p.base, -1)
  local function see(m)
    local h = live(p, m)
    if h then
      table.insert(found, h)
      units = units + h.units
    end
    return units + p.units > p.capacity and #found >= limit
  end
  if kind ~= '0' and not p.key then walk('(' .. p.base, '[' .. name, see) end
  walk('(' .. name .. '\255', p.key and '[' .. name or '(' .. p.base .. '\255', see)
  return units, found
end

-- overlapping collects the live members of the part's own kind that overlap
-- it.
local function overlapping(p, limit)
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

-- obstacles returns when the first of the holds in the way of the parts ends,
-- in ms from now, or nil when there is none; and up to limit of those holds.
local function obstacles(parts, limit)
  local retry, named = nil, {}
  for n, p in ipairs(parts) do
    local known = spans and redis.call('HGET', L, '#span' .. p.base)
    p.span = known and tonumber(known)
    if (p.capacity ~= 1 or p.shared) and not p.span then
      -- The spans that are there were never measured: any may reach the part.
      local any = redis.call('ZRANGEBYLEX', I, '[' .. p.base, '(' .. p.base .. '\255', 'LIMIT', '0', '1')
      p.span, p.measure = #any > 0 and 2 ^ 53 or 0, true
    end
    local taken, foreign = others(p, limit)
    local own = p.key and {} or overlapping(p, limit)
    if taken + busiest(p, own) + p.units > p.capacity then
      retry = retry or 0
      local seen = {}
      for _, holds in ipairs({ own, foreign }) do
        for _, h in ipairs(holds) do
          retry = retry > 0 and math.min(retry, h.left) or h.left
          if #named < limit and not seen[h.handle] then
            seen[h.handle] = true
            table.insert(named, { n, h.member, unpack(shown(h.handle, now + h.left)) })
          end
        end
      end
    end
    if retry and #named >= limit then break end
  end
  return retry, named
end

