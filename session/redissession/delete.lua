-- SPDX-License-Identifier: MIT
--
-- Deletes records of one partition, or puts them into quarantine. Payloads are
-- never read: a record that cannot be read goes like any other.
--
-- KEYS   1 expiry index x, 2… records d
-- ARGV   1 revision (8 bytes, zero = any), 2 quarantine ms (0 = delete),
--        3 quarantine bytes at most, 4… their hashes
-- Reply  how many there were
-- Cost   O(log n) each. A retry deletes nothing more, but counts anew.

local deleted = 0
for i = 2, #KEYS do
  local hash, head = ARGV[i + 2], header(KEYS[i])
  if head ~= '' and (ARGV[1] == NONE8 or (valid(head) and at(head, REV, 8) == ARGV[1])) then
    unindex(hash, head)
    discard(KEYS[i], hash, tonumber(ARGV[2]), tonumber(ARGV[3]))
    deleted = deleted + 1
  end
end
return deleted
