-- SPDX-License-Identifier: MIT
--
-- Puts a record back from quarantine: a live one into its place, a lapsed one into
-- the backlog, to be claimed at once and for the first time.
--
-- KEYS   1 expiry index x, 2 record d, 3 quarantine q, 4 claims c, 5 backlog b
-- ARGV   1 its name in the quarantine, 2 checksum of its payload (4 bytes)
-- Reply  done; missing; exists, when a record is in its place; or broken, when the
--        bytes have no header
-- Cost   O(log n). Names of keys are derived from ARGV and the record: same slot.

unrefused()
local hash, key = at(ARGV[1], 0, 16), KEYS[3] .. ARGV[1]
local raw = header(key)
if raw == '' then return 'missing' end
if not valid(raw) then return 'broken' end
local alive = deadline(raw) > now
if alive and header(KEYS[2]) ~= '' then return 'exists' end
redis.call('ZREM', KEYS[3], ARGV[1])
raw = patch(key, raw, ATTEMPTS, bytes(0, 2))
raw = patch(key, raw, CRC, ARGV[2] .. at(NONE16, 0, 14))
if alive then
  redis.call('RENAME', key, KEYS[2])
  redis.call('PEXPIREAT', KEYS[2], expiry(raw))
  index(hash, raw)
else
  local id = hash .. at(raw, REV, 8)
  redis.call('RENAME', key, base .. 'e' .. id)
  local till = now + int(raw, KEEP, 4) * 1000
  redis.call('PEXPIREAT', base .. 'e' .. id, till)
  await(id, raw, now)
  keep(till)
end
return 'done'
