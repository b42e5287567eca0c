-- SPDX-License-Identifier: MIT
--
-- Prelude of the scripts that are about an owner: delete_owner.lua and list.lua.

-- partial reports whether live records of an owner may be missing in its index;
-- touch.lua has how that is known.
local function partial(owner)
  local o, there = base .. 'o', redis.call('EXISTS', base .. 'u' .. owner) == 1
  if redis.call('EXISTS', o) == 0 then return there or redis.call('EXISTS', KEYS[1]) == 1 or evicts() end
  return score(o, '') > now or score(o, '-' .. owner) > now or (not there and score(o, owner) > now)
end

