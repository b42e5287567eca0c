-- SPDX-License-Identifier: MIT
--
-- What the scripts that read whole records have in common. doc.go describes
-- the formats.
--
-- KEYS  as in head.lua

local UNRECORDED = 1024 -- how many expired holds a group keeps until they are recorded

-- READS has the versions of the body that can be extended and recorded: this
-- one and the one before. A new version may only append to the body.
local READS = { ['1'] = true }

-- WHOLE is the extent of a key: from -2^52 to 2^52, one unit.
local WHOLE = '=' .. string.rep('\0', 7) .. '\32' .. string.rep('\0', 9) .. '\1'

-- text is the only way from a number to a string: Lua's own has 14 digits.
local function text(n)
  return string.format('%.0f', n)
end

-- turn writes a number of the order of arrival, so that it sorts as a text.
local function turn(n)
  return string.format('%016.0f', n)
end

-- clock returns the server's time in milliseconds and in microseconds.
local function clock()
  local t = redis.call('TIME')
  local us = tonumber(t[1]) * 1000000 + tonumber(t[2])
  return math.floor(us / 1000), us
end

local now, us = clock()

-- What the ledger has of the group: when its keys end, a time before which
-- nothing in X is due, 0 when nothing is to be due at all, and whether spans
-- were measured. last has the last fence and the last turn.
local group = redis.call('HMGET', L, '#until', '#due', '#spans', '#fence', '#seq')
local lives, due, spans = tonumber(group[1] or '') or 0, tonumber(group[2] or '') or 0, group[3]
local last = { ['#fence'] = tonumber(group[4] or ''), ['#seq'] = tonumber(group[5] or '') }

-- ending is the score in X of a hold that was released (how is 0), or so
-- without its token (1), or of a claim that was given up (2). It is negative,
-- so that no script takes it for a live one, and rises with the time.
local function ending(at, how)
  return 4 * at + how - 2 ^ 50
end

-- score returns an id's score in X, or nil when it has none or that of an
-- ending too old to count, whether or not it has been removed yet.
local function score(id)
  local s = tonumber(redis.call('ZSCORE', X, id) or nil)
  if not s or s < 0 and s <= ending(now - MEMORY, 2) then return nil end
  return s
end

-- forget removes up to most of the endings that are too old to count.
local function forget(most)
  local old = redis.call('ZCOUNT', X, '-inf', text(ending(now - MEMORY, 2)))
  if old > 0 then redis.call('ZREMRANGEBYRANK', X, '0', text(math.min(old, most) - 1)) end
end

-- remember notes an ending, and forgets some old ones. The key goes by itself
-- when nothing else is in it.
local function remember(id, how)
  redis.call('ZADD', X, text(ending(now, how)), id)
  forget(256)
end

-- slot is the handle of the hold that has a name as a key: where the ledger has its
-- record and X its end. The handle of any other is its id.
local function slot(name)
  return '=' .. name
end

-- extent reads an extent that begins at byte p of s. Its numbers are big
-- endian and at most 2^53, so a double keeps them exactly. A member cut short
-- by another program reads as far too long, and so is met and removed.
local function extent(s, p)
  if #s < p + EXTENT - 1 then s = s .. string.rep('\255', EXTENT) end
  local a, b, c, d, e, f, g, h, i, j, k, l, m, n, q, r, t, u = string.byte(s, p + 1, p + EXTENT - 1)
  return (((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f) * 256 + g,
    (((((h * 256 + i) * 256 + j) * 256 + k) * 256 + l) * 256 + m) * 256 + n,
    ((q * 256 + r) * 256 + t) * 256 + u
end

-- before reads the number that ends before the separator; nothing means 0.
local function before(s, p, separator)
  local e = p <= #s and string.find(s, separator, p, true)
  local n = e and (e == p and 0 or tonumber(string.sub(s, p, e - 1)))
  if n and n >= 0 then return n, e + 1 end
end

-- number reads "<digits>,", field reads "<length>:<bytes>", each at byte p of
-- s. They return the value and the position after it, or nil.
local function number(s, p)
  return before(s, p, ',')
end

local function field(s, p)
  local n, start = before(s, p, ':')
  if n and start + n <= #s + 1 then return string.sub(s, start, start + n - 1), start + n end
end

-- nonzero and put write what number and field read.
local function nonzero(n)
  return n == 0 and '' or text(n)
end

local function put(s)
  return nonzero(#s) .. ':' .. s
end

-- members reads the parts at byte p of a record, each as its member in the
-- index without the id. It returns them and the position after them, or nil.
local function members(s, p)
  local list, count, name = {}
  if string.byte(s, p) == KEY then
    name, p = field(s, p + 1)
    if p then return { name .. '\0' .. WHOLE }, p end
    return nil
  end
  count, p = number(s, p)
  for k = 1, count or 0 do
    name, p = field(s, p)
    if not p then return nil end
    list[k] = name .. '\0' .. string.sub(s, p, p + EXTENT - 1)
    p = p + EXTENT
  end
  if p then return list, p end
end

-- read takes the record of a hold apart. In a slot the id stands for the name.
-- Every version of the format begins with the same head, so that any program can
-- compare tokens and end any hold; the body is the version's own. It returns nil
-- when there is no record or its head is malformed. Public is what may be handed
-- out.
local function read(handle)
  local rec = redis.call('HGET', L, handle)
  if not rec then return nil end
  local hold, p, from = { handle = handle, id = handle, version = string.sub(rec, 1, 1) }
  hold.proof, from = field(rec, 2)
  if not from then return nil end
  hold.members, p = members(rec, from)
  if not p then return nil end
  hold.parts, hold.body = string.sub(rec, from, p - 1), string.sub(rec, p)
  if string.byte(handle) == KEY then
    if string.byte(hold.parts) ~= KEY then return nil end
    local name = string.sub(handle, 2)
    hold.id, hold.parts, hold.members = field(hold.parts, 2), '=' .. put(name), { name .. '\0' .. WHOLE }
  end
  hold.public = hold.version .. hold.parts .. hold.body
  return hold
end

-- find reads the record of an id: in the slot of a name, if the id holds that as a
-- key, or under the id. A hold whose record is unreadable has its handle for an id.
local function find(id, name)
  local hold = read(slot(name))
  if hold and hold.id == id then return hold end
  return string.byte(id) ~= KEY and read(id) or nil
end

-- proves reports whether a token is that of a hold; with over, also whether it is
-- the one by which the hold was taken over, and may be again. That follows the
-- hold's own and a NUL.
local function proves(token, hold, over)
  return hold.proof == token or string.sub(hold.proof, 1, #token + 1) == token .. '\0'
    or over and string.sub(hold.proof, -#token - 1) == '\0' .. token
end

-- detail reads the body of a record of a version in READS, and reports whether it
-- could. The inbox begins with "?" until the grant is confirmed, and is "." when
-- the hold was released and is kept for a while.
local function detail(hold)
  if not READS[hold.version] then return false end
  local b = hold.body
  local fence, lag, ends, extensions, keep, p = string.match(b, '^(%d+),(%d*),(%d*),(%d*),(%d*),()')
  hold.fence, hold.lag, hold.ends = tonumber(fence or ''), tonumber(lag or '') or 0, tonumber(ends or '') or 0
  hold.extensions, hold.keep = tonumber(extensions or '') or 0, tonumber(keep or '') or 0
  if p then hold.nonce, p = field(b, p) end
  if p then hold.inbox, p = field(b, p) end
  if not p then return false end
  hold.tail = string.sub(b, p)
  if string.sub(hold.inbox, 1, 1) == '?' then hold.provisional = string.sub(hold.inbox, 2) end
  return true
end

-- write puts the record of a hold under its handle, and further fields into the
-- ledger.
local function write(hold, fields)
  local parts = hold.handle == hold.id and hold.parts or '=' .. put(hold.id)
  redis.call('HSET', L, hold.handle, hold.version .. put(hold.proof) .. parts .. hold.body, unpack(fields or {}))
end

-- store is write for a hold that was read in detail, or made.
local function store(hold, fields)
  hold.body = text(hold.fence) .. ',' .. nonzero(hold.lag) .. ',' .. nonzero(hold.ends) .. ','
    .. nonzero(hold.extensions) .. ',' .. nonzero(hold.keep) .. ',' .. put(hold.nonce) .. put(hold.inbox) .. hold.tail
  hold.public = hold.version .. hold.parts .. hold.body
  write(hold, fields)
end

-- notify reports to the inbox of a holder, if it has one, that its hold is not
-- its any more.
local function notify(hold)
  local channel = string.match(hold.inbox, '^%??[!=](.+)')
  if channel then redis.pcall('PUBLISH', channel, hold.id .. ' ') end
end

-- rising returns a number for a field of the ledger that is above all before
-- it, and the time in µs when that is above them, too. The caller writes it.
local function rising(field)
  local before = last[field] or 0
  last[field] = math.max(us, before < us + YEAR and before + 1 or 0)
  return last[field]
end

-- shown is what is handed out about the hold of a handle that ends at ends: its
-- id, the ms left, and what is public of its record, empty when that is not readable.
local function shown(handle, ends)
  local hold = read(handle) or { id = handle, public = '' }
  return { hold.id, ends - now, hold.public }
end

-- keep lets the keys live until what is put into X, to be due in left ms, has
-- ended and its end has been recorded, which may take a week. Slack saves most
-- calls.
local function keep(left)
  if due == 0 or lives < now + left + WEEK then
    lives = math.max(lives, now + left + WEEK + HOUR)
    redis.call('HSET', L, '#until', text(lives))
    redis.call('PEXPIREAT', I, text(lives))
    redis.call('PEXPIREAT', L, text(lives))
    redis.call('PEXPIREAT', X, text(lives))
    redis.call('PEXPIREAT', U, text(lives))
    redis.call('PEXPIREAT', Q, text(lives))
  end
  if due == 0 or now + left < due then
    due = now + left
    redis.call('HSET', L, '#due', text(due))
  end
end

-- bound notes when the first in X is due. The note may lag behind, but is never
-- ahead, so a script that finds it in the future has nothing to sweep. When
-- nothing in X is to be due any more, the group rests: X needs to live no longer
-- than the endings in it, until keep sets its lifetime again. A group may rest
-- while X has an inbox, so its end goes through keep, too.
local function bound()
  local first = redis.call('ZRANGEBYSCORE', X, '0', '+inf', 'WITHSCORES', 'LIMIT', '0', '1')[2]
  if not first then
    due = 0
    redis.call('HDEL', L, '#due')
    redis.call('PEXPIRE', X, text(MEMORY))
  elseif due == 0 then
    keep(first - now)
  else
    due = tonumber(first)
    redis.call('HSET', L, '#due', first)
  end
end

-- measure notes the longest span of a name and kind.
local function measure(base, span)
  if redis.call('HSET', L, '#span' .. base, text(span)) == 1 then
    redis.call('HINCRBY', L, '#spans', '1')
    spans = '1'
  end
end

-- freed collects the members, without ids, of what this script freed: those
-- who wait may fit there now. from has the members of the queue behind which
-- to look, '' for all of a name.
local freed, from = {}, {}

local function free(m, behind)
  if not from[m] then
    table.insert(freed, m)
    from[m] = behind or ''
  elseif not behind or behind < from[m] then -- what was freed last counts for all
    from[m] = behind or ''
  end
end

-- mark notes a grant that waits for its confirmation, settle removes the note.
local function mark(hold, inbox)
  redis.call('ZADD', Q, '0', '\0\0' .. inbox .. '\0' .. hold.handle)
  redis.call('PEXPIREAT', Q, text(lives))
end

local function settle(hold)
  redis.call('ZREM', Q, '\0\0' .. hold.provisional .. '\0' .. hold.handle)
end

-- unreadable is a hold of which only the handle is known.
local function unreadable(handle)
  return { handle = handle, members = string.byte(handle) == KEY and { string.sub(handle, 2) .. '\0' .. WHOLE } or {} }
end

-- vacate removes a hold: its record, its end, its members of the index and the note
-- of its grant; and the longest span of a name that has no other.
local function vacate(hold)
  if hold.provisional then settle(hold) end
  redis.call('HDEL', L, hold.handle)
  redis.call('ZREM', X, hold.handle)
  for _, m in ipairs(hold.members) do
    if hold.handle == hold.id then redis.call('ZREM', I, m .. hold.id) end
    free(m)
  end
  if not spans then return end
  for _, m in ipairs(hold.members) do
    local base = string.sub(m, 1, #m - EXTENT + 1) -- name, NUL, kind
    if #redis.call('ZRANGEBYLEX', I, '[' .. base, '(' .. base .. '\255', 'LIMIT', '0', '1') == 0
      and redis.call('HDEL', L, '#span' .. base) == 1 and redis.call('HINCRBY', L, '#spans', '-1') <= 0
    then
      redis.call('HDEL', L, '#spans')
      spans = nil
      return
    end
  end
end

