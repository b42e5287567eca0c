-- SPDX-License-Identifier: MIT
--
-- Reads those of some records that are live.
--
-- KEYS   1 expiry index x, 2… records d
-- ARGV   1 owner ('' = of any)
-- Reply  for each key its record, '' when it is not live; then '1' when records of
--        the owner may be missing in its index, otherwise ''
-- Cost   O(1) each, and the payloads. Writes nothing.

local found = {}
for i = 2, #KEYS do
  local raw = read(KEYS[i])
  found[i - 1] = valid(raw) and deadline(raw) > now and raw or ''
end
found[#KEYS] = ARGV[1] ~= '' and partial(ARGV[1]) and '1' or ''
return found
