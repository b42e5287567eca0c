-- SPDX-License-Identifier: MIT
--
-- Deletes the record that a move to another partition has copied, and leaves a
-- note for a retry: without it, a retry could not distinguish its own work from a
-- logout.
--
-- KEYS   1 expiry index x, 2 record d, 3 note m
-- ARGV   1 hash, 2 header template (its revision is the one expected, its lease the
--        one that must be held), 3 note kept for ms, 4 quarantine ms (0 = delete),
--        5 quarantine bytes at most, 6 hash of the copy, 7 the old place answers for ms
--        (0 = not), 8 freeze ('1' = with what it was)
-- Reply  {status, the current record when stale, 0, retry ms}; status is done,
--        missing, broken, lapsed, newer, moved, frozen, leased or stale
-- Cost   O(log n).

local hash, template = ARGV[1], ARGV[2]
local nonce = at(template, NONCE, 8)
local old = header(KEYS[2])
if old == '' or (valid(old) and int(old, KIND, 1) ~= 0) then
  local mine = nonce ~= NONE8 and redis.call('GET', KEYS[3]) == nonce
  if mine then return {'done', '', 0, 0} end
end
if old == '' then return {'missing', '', 0, 0} end
if not valid(old) then
  unindex(hash, old)
  discard(KEYS[2], hash, tonumber(ARGV[4]), tonumber(ARGV[5]))
  return {'broken', '', 0, 0}
end
local status, retry = check(old, template)
if status == 'stale' then return {status, read(KEYS[2]), 0, 0} end
if status then return {status, status == 'moved' and old or '', 0, retry} end
redis.call('SET', KEYS[3], nonce, 'PX', ARGV[3])
unindex(hash, old)
leaveIn(KEYS[2], old, ARGV[6], tonumber(ARGV[7]), ARGV[8] == '1')
return {'done', '', 0, 0}
