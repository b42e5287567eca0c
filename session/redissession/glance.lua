-- SPDX-License-Identifier: MIT
--
-- Comes after clock.lua in load: a load of a live record that takes no lease and
-- changes nothing, as most do, is answered here. What others need follows, which
-- takes longer to make than all of this.
--
-- KEYS   2 record d, as load has it
-- ARGV   2 touch, 3 every ms, 4 bare, 7 lease, as load has them
-- Reply  the record
-- Cost   O(1) and the payload

local seen -- the live record, when activity has to be recorded and nothing else
if not ARGV[7] then
  local raw = redis.pcall('GETRANGE', KEYS[2], '0', ARGV[4] == '1' and '155' or '-1')
  if type(raw) == 'string' and #raw >= HEADER and string.sub(raw, 1, 5) == 'hfs\1\0' and deadline(raw) > now then
    if ARGV[2] ~= '1' or not due(raw, tonumber(ARGV[3])) then return raw end
    seen = raw
  end
end

