-- SPDX-License-Identifier: MIT
--
-- Creates a record from a live one of the same partition and deletes that, in
-- one step: no one ever sees both or neither.
--
-- KEYS   1 expiry index x, 2 record d to create, 3 record d to delete,
--        4 owner index u of the new one (only with an owner)
-- ARGV   1 new hash, 2 header template (its revision is the one expected, its lease
--        the one that must be held), 3 payload, 4 old hash, 5 limit per owner
--        (0 = none), 6 full policy, 7 quarantine ms (0 = delete), 8 quarantine bytes at most,
--        9 restart ('1' = the template has times of a new record, '0' = keep the old ones),
--        10 the old place answers for ms (0 = not), 11 freeze ('1' = with what it was)
-- Reply  {status, header, or a record when exists or stale, 0, retry ms, evicted
--        hashes}; status is done, exists, missing, broken, lapsed, newer, moved,
--        frozen, leased, stale or over_limit
-- Cost   O(log n) and the payload; O(limit) at the limit. A retry finds
--        its own nonce in the new record.

local template = ARGV[2]
local there = read(KEYS[2])
local mine = valid(there) and wrote(there, template)
if mine then return {'done', as(there, mine), 0, 0, {}} end
if there ~= '' then return {'exists', there, 0, 0, {}} end
local old = header(KEYS[3])
if old == '' then return {'missing', '', 0, 0, {}} end
if not valid(old) then
  unindex(ARGV[4], old)
  discard(KEYS[3], ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8]))
  return {'broken', '', 0, 0, {}}
end
local status, retry = check(old, template)
if status == 'stale' then return {status, read(KEYS[3]), 0, 0, {}} end
if status then return {status, status == 'moved' and old or '', 0, retry, {}} end

local evicted = {}
if KEYS[4] then evicted = room(KEYS[4], tonumber(ARGV[5]), ARGV[6], ARGV[4]) end
if not evicted then return {'over_limit', '', 0, 0, {}} end
local part = ARGV[9] == '1' and at(template, CREATED, 12) or at(old, CREATED, 12)
template = at(template, 0, CREATED) .. part .. at(template, IDLE, 26) .. at(NONE16, 0, 14) .. string.sub(template, OWNER + 1)
local head = stamp(template, int(old, REV, 8))
put(KEYS[2], ARGV[1], head, ARGV[3])
trim(KEYS[4], template)
unindex(ARGV[4], old)
leaveIn(KEYS[3], old, ARGV[1], tonumber(ARGV[10]), ARGV[11] == '1')
return {'done', head, 0, 0, evicted}
