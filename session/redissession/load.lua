-- SPDX-License-Identifier: MIT
--
-- Reads a live record, touches it when that is due, and takes, renews or frees
-- its lease. Neither payload nor revision are written.
--
-- KEYS   1 expiry index x, 2 record d
-- ARGV   1 hash, 2 touch every ms ('' = do not), 3 bare ('1' = header only),
--        4 quarantine ms (0 = delete), 5 quarantine bytes at most; for a lease also
--        6 its name (8 bytes), 7 for how many ms (0 = free it, and leave the line),
--        8 held ('1' = renew only), 9 inbox ('' = do not wait in line)
-- Reply  {status, record as it was, times of a touch or 0, retry ms}; status is
--        done, missing, lapsed, leased, broken, newer, moved or frozen. A record alone
--        stands for {done, record, 0, 0}
-- Cost   O(1) and the payload; a touch adds O(log n). A load that changes nothing
--        replicates nothing. Taking a lease again under its name renews it.

local who, lasting, inbox = ARGV[6] or NONE8, tonumber(ARGV[7] or 0), ARGV[9] or ''
if who ~= NONE8 and lasting == 0 then
  unrefused()
  leave(ARGV[1], who, inbox)
end
local raw = ARGV[3] == '1' and header(KEYS[2]) or read(KEYS[2])
if raw == '' then return {'missing', '', 0, 0} end
if not valid(raw) then
  unindex(ARGV[1], raw)
  discard(KEYS[2], ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5]))
  return {'broken', '', 0, 0}
end
if deadline(raw) <= now then return {'lapsed', '', 0, 0} end
if not known(raw) then return {'newer', '', 0, 0} end
local kind = int(raw, KIND, 1)
if kind == MOVED then return {'moved', raw, 0, 0} end
if kind == FROZEN then return {'frozen', who == NONE8 and raw or '', 0, 0} end
return use(KEYS[2], ARGV[1], raw, tonumber(ARGV[2]), who, lasting, ARGV[8] == '1', inbox)
