-- SPDX-License-Identifier: MIT
--
-- Ends claims: the records are gone, in quarantine, or due again.
--
-- KEYS   1 expiry index x (for its base only), 2 claims c, 3 backlog b
-- ARGV   1 quarantine bytes at most, then for each 3: hash and revision (24 bytes), retry
--        ms (0 = gone), quarantine ms (0 = delete)
-- Reply  how many there were
-- Cost   O(log n) each. The keys of records are derived from ARGV: same slot, see
--        claim.lua. A retry finds nothing more to do.

unrefused()
local settled = 0
for i = 2, #ARGV, 3 do
  local id, retry = ARGV[i], tonumber(ARGV[i + 1])
  local key = base .. 'e' .. id
  local head = header(key)
  if head ~= '' then
    settled = settled + 1
    if retry > 0 then
      redis.call('ZADD', KEYS[2], now + retry, id)
      local till = now + retry + (valid(head) and int(head, KEEP, 4) * 1000 or 0)
      for _, k in ipairs({key, KEYS[2], KEYS[3]}) do outlive(k, till) end
    else
      discard(key, at(id, 0, 16), tonumber(ARGV[i + 2]), tonumber(ARGV[1]))
    end
  end
  if head == '' or retry == 0 then
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
  end
end
return settled
