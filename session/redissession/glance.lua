-- SPDX-License-Identifier: MIT
--
-- Comes after clock.lua in load: a load of a live record that takes no lease and
-- changes nothing, as most do, is answered here. What others need follows, which
-- takes longer to make than all of this.
--
-- KEYS   2 record d, as load has it
-- ARGV   2 touch every ms, 3 bare, 6 lease, as load has them
-- Reply  the record
-- Cost   O(1) and the payload

local seen -- the live record, when activity has to be recorded and nothing else
if not ARGV[6] then
  local raw
  if ARGV[3] == '1' then raw = redis.pcall('GETRANGE', KEYS[2], '0', '155') else raw = redis.pcall('GET', KEYS[2]) end
  if type(raw) == 'string' and #raw >= HEADER and string.sub(raw, 1, 5) == 'hfs\1\0' and deadline(raw) > now then
    if ARGV[2] == '' or not due(raw, tonumber(ARGV[2])) then return raw end
    seen = raw
  end
end
