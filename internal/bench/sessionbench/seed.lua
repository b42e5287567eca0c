-- SPDX-License-Identifier: MIT
--
-- Copies a record many times into one partition, with its index, as if each had
-- been created.
--
-- KEYS   1 expiry index x
-- ARGV   1 the record, 2 number of the first copy, 3 copies, 4 first byte of
--        their hashes, 5 when they lapse, in ms, 6 for how many ms they are kept then
-- reply  none
-- cost   O(copies · log n)

local base = string.sub(KEYS[1], 1, -2)
local forget = string.format('%.0f', ARGV[5] + ARGV[6])
for i = ARGV[2], ARGV[2] + ARGV[3] - 1 do
  local hash = string.char(ARGV[4]) .. string.format('%015.0f', i)
  redis.call('SET', base .. 'd' .. hash, ARGV[1], 'PXAT', forget)
  redis.call('ZADD', KEYS[1], ARGV[5], hash)
end
