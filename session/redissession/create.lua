-- SPDX-License-Identifier: MIT
--
-- Inserts a record, or uses the live one that is there.
--
-- KEYS   1 expiry index x, 2 record d, 3 note n, 4 owner index u (only with an
--        owner)
-- ARGV   1 hash, 2 header template, 3 payload, 4 touch every ms,
--        5 limit per owner (0 = none), 6 full policy, 7 quarantine ms (0 = delete),
--        8 quarantine bytes at most, 9 how often it was sent, 10 note kept for ms, 11 inbox
--        ('' = do not wait in line for the lease)
-- Reply  {status, header or record, times of a touch or 0, retry ms, evicted hashes};
--        status is done, exists, leased, over_limit, broken, newer, frozen or
--        missing
-- Cost   O(log n) and the payload; O(limit) at the limit. A lapsed
--        record in the way is set aside for claim.lua. A retry finds its own nonce.
--        It leaves a note for what was sent before it and may come after it, when
--        the record has been deleted: that is missing, and inserts nothing.

local hash, template = ARGV[1], ARGV[2]
local nonce = at(template, NONCE, 8)
local raw, last = read(KEYS[2]), 0

-- Memory may be too short for the note, which is no reason to fail.
local function note()
  if ARGV[9] ~= '1' and nonce ~= NONE8 then redis.pcall('SET', KEYS[3], nonce, 'PX', ARGV[10]) end
end

if raw ~= '' then
  if not valid(raw) then
    unindex(hash, raw)
    discard(KEYS[2], hash, tonumber(ARGV[7]), tonumber(ARGV[8]))
    return {'broken', '', 0, 0, {}}
  end
  if deadline(raw) > now then
    if not known(raw) then return {'newer', '', 0, 0, {}} end
    if int(raw, KIND, 1) ~= 0 then return {'frozen', '', 0, 0, {}} end
    local mine = wrote(raw, template)
    if mine then
      note()
      return {'done', as(raw, mine), 0, 0, {}}
    end
    local reply = use(KEYS[2], hash, raw, tonumber(ARGV[4]),
      at(template, LEASE, 8), int(template, LEASE_END, 6), false, ARGV[11])
    if reply[1] == 'done' then reply[1] = 'exists' end
    reply[5] = {}
    return reply
  end
  last = int(raw, REV, 8)
end

if redis.call('GET', KEYS[3]) == nonce then return {'missing', '', 0, 0, {}} end
local who = at(template, LEASE, 8)
if who ~= NONE8 and not mayTake(hash, who, ARGV[11], true) then return {'leased', '', 0, 0, {}} end
-- Fails when memory is full, before anything has changed.
if raw ~= '' then redis.call('SETRANGE', KEYS[2], 0, '') end
local evicted = {}
if KEYS[4] then evicted = room(KEYS[4], tonumber(ARGV[5]), ARGV[6], hash) end
if not evicted then return {'over_limit', '', 0, 0, {}} end
if raw ~= '' then
  await(aside(KEYS[2], hash, raw), raw, deadline(raw))
  keep(expiry(raw))
end
local head = stamp(template, last)
put(KEYS[2], hash, head, ARGV[3])
trim(KEYS[4], template)
note()
return {'done', head, 0, 0, evicted}
