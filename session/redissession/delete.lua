-- SPDX-License-Identifier: MIT
--
-- Deletes records of one partition, or puts them into quarantine. Nothing is
-- decoded: a record that cannot be read goes like any other.
--
-- KEYS   1 expiry index x, 2… records d
-- ARGV   1 revision (8 bytes, zero = any), 2 quarantine ms (0 = delete),
--        3 quarantine bytes at most, 4 '1' = hand out what is deleted, 5… their hashes
-- Reply  for each that was there its hash, and its header or all of its bytes
-- Cost   O(log n) each. A retry deletes nothing more, but counts anew.

local deleted, whole = {}, ARGV[4] == '1'
for i = 2, #KEYS do
  local hash = latest(ARGV[i + 3])
  local key = base .. 'd' .. hash
  local head = whole and read(key) or header(key)
  local frozen = valid(head) and int(head, KIND, 1) ~= 0
  if head ~= '' and (ARGV[1] == NONE8 or (valid(head) and at(head, REV, 8) == ARGV[1])) then
    unindex(hash, head)
    discard(key, hash, frozen and 0 or tonumber(ARGV[2]), tonumber(ARGV[3]))
    if not frozen or ARGV[1] ~= NONE8 then
      deleted[#deleted + 1] = hash
      deleted[#deleted + 1] = head
    end
  end
  if hash ~= ARGV[i + 3] then redis.call('DEL', KEYS[i]) end
end
return deleted
