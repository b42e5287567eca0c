-- SPDX-License-Identifier: MIT
--
-- Reads a live record, touches it when that is due, and takes, renews or frees
-- its lease. Neither payload nor revision are written.
--
-- KEYS   1 expiry index x, 2 record d
-- ARGV   1 hash, 2 touch ('1'), 3 every ms, 4 bare ('1' = header
--        only), 5 quarantine ms (0 = delete), 6 quarantine bytes at most; for a lease also
--        7 its name (8 bytes), 8 for how many ms (0 = free it, and leave the line),
--        9 held ('1' = renew only), 10 inbox ('' = do not wait in line)
-- Reply  {status, record, touched, retry ms}; status is done, missing, lapsed,
--        leased, broken, newer, moved or frozen. A record alone stands for {done, record, 0, 0}
-- Cost   O(1) and the payload; a touch adds O(log n). A load that changes nothing
--        replicates nothing. Taking a lease again under its name renews it.

local who, lasting, inbox = ARGV[7] or NONE8, tonumber(ARGV[8] or 0), ARGV[10] or ''
if who ~= NONE8 and lasting == 0 then
  unrefused()
  leave(ARGV[1], who, inbox)
end
local raw = ARGV[4] == '1' and header(KEYS[2]) or read(KEYS[2])
if raw == '' then return {'missing', '', 0, 0} end
if not valid(raw) then
  unindex(ARGV[1], raw)
  discard(KEYS[2], ARGV[1], tonumber(ARGV[5]), tonumber(ARGV[6]))
  return {'broken', '', 0, 0}
end
if deadline(raw) <= now then return {'lapsed', '', 0, 0} end
if not known(raw) then return {'newer', '', 0, 0} end
local kind = int(raw, KIND, 1)
if kind == MOVED then return {'moved', raw, 0, 0} end
if kind == FROZEN then return {'frozen', who == NONE8 and raw or '', 0, 0} end
return use(KEYS[2], ARGV[1], raw, ARGV[2] == '1', tonumber(ARGV[3]), who, lasting, ARGV[9] == '1', inbox)
