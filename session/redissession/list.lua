-- SPDX-License-Identifier: MIT
--
-- Reads those of some records that are live.
--
-- KEYS   1 expiry index x (for its base only), 2… records d
-- ARGV   none
-- Reply  for each key its record, '' when it is not live
-- Cost   O(1) each, and the payloads. Writes nothing.

local found = {}
for i = 2, #KEYS do
  local raw = read(KEYS[i])
  found[i - 1] = valid(raw) and deadline(raw) > now and raw or ''
end
return found
