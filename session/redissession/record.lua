-- SPDX-License-Identifier: MIT
--
-- Comes after touch.lua in every script: the rest of the record's header (header.go
-- has the table), and how records end.

local SIZES = {[1] = 156}  -- bytes before the payload, of each version that is read
local LEAST = 156          -- the header of version 1, with which every later one begins
local MOVED, FROZEN = 1, 2 -- kinds of what a record leaves in its place; 0 = a record
local ATTEMPTS, REV, NONCE, CREATED, CRC, LEASE, LEASE_END, EARLIER = 6, 8, 16, 24, 58, 62, 70, 92
local WRITES = {REV, 92, 108, 124, 140} -- revision and nonce of the last ones, the newest first
local NONE8 = string.rep(char(0), 8)

local micros = time[1] * 1000000 + time[2]
local serve -- a function of line.lua

-- at, int and bytes read and write fields at offsets counted from 0.
local function at(s, from, len) return string.sub(s, from + 1, from + len) end

local function int(s, from, len)
  local n = 0
  for i = from + 1, from + len do n = n * 256 + byte(s, i) end
  return n
end

local function bytes(n, len)
  local b = {}
  for i = len, 1, -1 do
    b[i] = char(n % 256)
    n = floor(n / 256)
  end
  return table.concat(b)
end

-- range returns the bytes of a key up to an offset: '' without the key, and
-- something that is no record for a key of another type.
local function range(key, last)
  local raw = redis.pcall('GETRANGE', key, 0, last)
  if type(raw) ~= 'string' then return 'no string' end
  return raw
end

-- read returns all bytes of a key, header those before the payload.
local function read(key) return range(key, -1) end
local function header(key) return range(key, HEADER - 1) end

-- valid reports whether the bytes begin with a header, of whatever version: all
-- have the fields of version 1 in their places. known reports whether the record
-- is of a version that is read; a later one is left alone.
local function valid(raw)
  local version = byte(raw, 4)
  return string.sub(raw, 1, 3) == 'hfs' and version and version > 0 and #raw >= (SIZES[version] or LEAST)
end

local function known(raw) return SIZES[byte(raw, 4)] end

-- await enters a record that was set aside in the claims, from when it is due, and
-- in the backlog. Both have to outlive it, as keep sees to.
local function await(id, head, due)
  redis.call('ZADD', base .. 'c', due, id)
  redis.call('ZADD', base .. 'b', deadline(head), id)
end

local function keep(till)
  outlive(base .. 'c', till)
  outlive(base .. 'b', till)
end

-- pass notes the revision of a record that goes when the clock has not passed
-- it: it stepped back, or no microsecond went by. The next record of any place
-- in the partition begins above it. A revision an hour ahead is damage.
local function pass(head)
  local rev = int(head, REV, 8)
  if rev < micros or rev > micros + 3600000000 then return end
  local r = base .. 'r'
  if rev > tonumber(redis.call('GET', r) or '0') then
    redis.call('SET', r, rev, 'PX', math.ceil((rev - micros) / 1000) + 1)
  end
end

-- disown takes a record out of the index of its owner.
local function disown(u, owner, hash)
  if redis.call('ZREM', u, hash) == 1 and redis.call('EXISTS', u) == 0 then redis.call('ZREM', base .. 'o', owner) end
end

-- unindex takes a record that goes out of the indexes. Its lease goes with it,
-- so the first who waits for that has its turn.
local function unindex(hash, head)
  redis.call('ZREM', KEYS[1], hash)
  if not valid(head) then return end
  if int(head, LEASE_END, 6) > now then serve(hash) end
  pass(head)
  local u, owner = owned(head)
  if u then disown(u, owner, hash) end
end

-- When memory is full, Redis refuses the first write of a script if that could
-- need some, and lets the later ones pass. So scripts that free memory, or only
-- change what is there, begin with a write that needs none.
local function unrefused() redis.call('ZREM', KEYS[1], '') end

-- put writes first and indexes then: when memory is short the first command
-- fails and nothing has changed.
local function put(key, hash, head, payload)
  redis.call('SET', key, head .. payload, 'PXAT', expiry(head))
  index(hash, head)
end

-- patch writes a part of the header in place. The payload is not copied and
-- the key's time to live stays.
local function patch(key, raw, from, part)
  redis.call('SETRANGE', key, from, part)
  return at(raw, 0, from) .. part .. string.sub(raw, from + #part + 1)
end

local held -- bytes in quarantine, once this run has counted them

-- discard removes a key that is in no index any more, unread, or keeps it in
-- quarantine for so many ms, where all have so many bytes at most: the oldest go.
-- Each counts 256 bytes more, for its key and its entry. One run walks over all once.
local function discard(key, hash, keep, most)
  local size = keep > 0 and redis.pcall('STRLEN', key)
  if type(size) ~= 'number' or size + 256 > most then return redis.call('DEL', key) end
  local q, id = base .. 'q', hash .. bytes(micros, 8) .. bytes(size, 4)
  redis.call('RENAME', key, q .. id)
  redis.call('PEXPIRE', q .. id, keep)
  if not held then
    held = 0
    redis.call('ZREMRANGEBYSCORE', q, '-inf', now - keep)
    for _, old in ipairs(redis.call('ZRANGE', q, 0, -1)) do held = held + int(old, 24, 4) + 256 end
  end
  held = held + redis.call('ZADD', q, now, id) * (size + 256)
  redis.call('PEXPIRE', q, keep)
  while held > most do
    local old = redis.call('ZRANGE', q, 0, 0)[1]
    redis.call('DEL', q .. old)
    redis.call('ZREM', q, old)
    held = held - int(old, 24, 4) - 256
  end
end

-- aside takes a lapsed record out of its place, and returns what it is called
-- there: its hash and revision.
local function aside(key, hash, head)
  local id = hash .. at(head, REV, 8)
  redis.call('RENAME', key, base .. 'e' .. id)
  unindex(hash, head)
  return id
end

-- leaveIn is the end of a record that has moved: nothing stays in its place, or for
-- so many ms where it is now, which stands where the owner did, and if frozen also what
-- it was. That is in no index, and expires by itself.
local function leaveIn(key, head, next, grace, freeze)
  if grace == 0 then return redis.call('DEL', key) end
  local ends = math.min(deadline(head), now + grace)
  local crc = freeze and int(head, CRC, 4) or 0
  local part = at(head, 0, KIND) .. bytes(freeze and FROZEN or MOVED, 1) .. at(head, KIND + 1, ABSOLUTE - KIND - 1)
    .. bytes(ends, 6) .. bytes(0, 6) .. times(ends, 0, int(head, LAST, 6)) .. bytes(0, 4) .. bytes(crc, 4)
    .. at(NONE16, 0, 14) .. at(next, 0, 16) .. at(head, EARLIER, HEADER - EARLIER)
  if freeze then
    redis.call('SETRANGE', key, 0, part)
    redis.call('PEXPIREAT', key, ends)
  else
    redis.call('SET', key, part, 'PXAT', ends)
  end
end

-- latest is the hash that a record in this partition has moved to, or its own.
local function latest(hash)
  for _ = 1, 100 do
    local head = header(base .. 'd' .. hash)
    if not valid(head) or int(head, KIND, 1) ~= MOVED or deadline(head) <= now then break end
    hash = at(head, OWNER, 16)
  end
  return hash
end

-- wrote returns the revision that a write with this template has made, if it
-- is one of those that the record remembers.
local function wrote(head, template)
  local nonce = at(template, NONCE, 8)
  if nonce == NONE8 then return end
  for _, from in ipairs(WRITES) do
    if at(head, from + 8, 8) == nonce then return at(head, from, 8) end
  end
end

-- follows reports whether the record remembers the write that came after the
-- template's revision, or that none came. One write at most comes after each:
-- unless wrote knows it as this one, this one was not carried out.
local function follows(head, template)
  local rev = at(template, REV, 8)
  for _, from in ipairs(WRITES) do
    if at(head, from, 8) == rev then return true end
  end
end

-- as is the header with the revision that one of its writes has made.
local function as(head, made) return at(head, 0, REV) .. made .. at(head, NONCE, HEADER - NONCE) end

-- check says what keeps a write with this template from changing the record:
-- nothing, or 'lapsed', 'newer', 'moved', 'frozen', 'leased' (for how long) or 'stale'.
local function check(head, template)
  if deadline(head) <= now then return 'lapsed', 0 end
  if not known(head) then return 'newer', 0 end
  local kind = int(head, KIND, 1)
  if kind ~= 0 then return kind == MOVED and 'moved' or 'frozen', 0 end
  local who, ends = at(template, LEASE, 8), int(head, LEASE_END, 6)
  local mine = ends > now and at(head, LEASE, 8) == who
  if not mine and (ends > now or who ~= NONE8) then return 'leased', math.max(ends - now, 0) end
  if at(head, REV, 8) ~= at(template, REV, 8) then return 'stale', 0 end
end

-- revision rises strictly above the last one.
local function revision(last) return bytes(math.max(micros, last + 1), 8) end
