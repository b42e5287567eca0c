-- SPDX-License-Identifier: MIT
--
-- Deletes all records of an owner but some, or puts them into quarantine.
--
-- KEYS   1 expiry index x, 2 owner index u
-- ARGV   1 quarantine ms (0 = delete), 2 quarantine bytes at most, 3 '1' = name what
--        is deleted, 4… hashes to leave alone
-- Reply  how many there were, or for each that was there its hash and ''
-- Cost   O(owner's records). Their keys are derived from the index: same slot.

local except = {}
for i = 4, #ARGV do except[latest(ARGV[i])] = true end

local deleted = {}
for _, hash in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if not except[hash] then
    local key = base .. 'd' .. hash
    local head = header(key)
    redis.call('ZREM', KEYS[2], hash)
    if head ~= '' and (not valid(head) or owned(head) == KEYS[2]) then
      unindex(hash, head)
      discard(key, hash, tonumber(ARGV[1]), tonumber(ARGV[2]))
      deleted[#deleted + 1] = hash
      deleted[#deleted + 1] = ''
    end
  end
end
return ARGV[3] == '1' and deleted or #deleted / 2
