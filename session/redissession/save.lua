-- SPDX-License-Identifier: MIT
--
-- Replaces the payload of a live record at one revision: update only.
--
-- KEYS   1 expiry index x, 2 record d
-- ARGV   1 hash, 2 header template (its revision is the one expected, its lease the
--        one that must be held), 3 payload, 4 free ('1' = give the lease back to the line),
--        5 quarantine ms (0 = delete), 6 quarantine bytes at most, 7 how often it was sent
-- Reply  {status, header, or the current record when stale, 0, retry ms}; status is
--        done, missing, broken, lapsed, newer, moved, frozen, leased, stale or
--        unknown
-- Cost   O(log n) and the payload. A retry finds its own nonce and changes nothing.
--        One that finds neither that nor whose write came after its revision is
--        unknown: the first try may have been carried out.

local hash, template = ARGV[1], ARGV[2]
local old = header(KEYS[2])
if old == '' then return {'missing', '', 0, 0} end
if not valid(old) then
  unindex(hash, old)
  discard(KEYS[2], hash, tonumber(ARGV[5]), tonumber(ARGV[6]))
  return {'broken', '', 0, 0}
end
local mine = wrote(old, template)
if mine then return {'done', as(old, mine), 0, 0} end
local status, retry = check(old, template)
if (status == 'stale' or status == 'leased' or status == 'moved') and ARGV[7] ~= '1' and not follows(old, template) then
  return {'unknown', '', 0, 0}
end
if status == 'stale' then return {status, read(KEYS[2]), 0, 0} end
if status then return {status, status == 'moved' and at(old, 0, HEADER) or '', 0, retry} end

local lease = ARGV[4] == '1' and at(NONE16, 0, 14) or at(old, LEASE, 14)
local last = math.max(now, int(old, LAST, 6))
local head = at(template, 0, REV) .. revision(int(old, REV, 8)) .. at(template, NONCE, 8)
  .. at(old, CREATED, 18) .. times(int(old, ABSOLUTE, 6), int(old, IDLE, 6), last) .. at(template, KEEP, 8)
  .. lease .. at(old, OWNER, 16) .. at(old, REV, 16) .. at(old, EARLIER, 48) .. string.sub(template, EARLIER + 65)
put(KEYS[2], hash, head, ARGV[3])
if ARGV[4] == '1' then serve(hash) end
return {'done', head, 0, 0}
