-- SPDX-License-Identifier: MIT
--
-- Keeps the places of a process that waits for leases of one partition, and gives
-- the turn where a lease lapsed. Each process sends it once a second.
--
-- KEYS   1 expiry index x (for its base only)
-- ARGV   1 inbox, then for each that waits 2: hash, name of the lease (8 bytes)
-- Reply  the names that have to ask: it is their turn, or they have no place
-- Cost   O(log n) for each that waits. The keys of records are derived from ARGV:
--        same slot.

local inbox, served, asking = ARGV[1], {}, {}
unrefused()
redis.call('SET', base .. 'i' .. inbox, '', 'PX', PRESENT)
for i = 2, #ARGV, 2 do
  local hash, who = ARGV[i], ARGV[i + 1]
  local line, place = base .. 'w' .. hash, who .. inbox
  if not served[hash] then
    served[hash] = true
    redis.call('PEXPIRE', line, LINE)
    local head = header(base .. 'd' .. hash)
    if not valid(head) or deadline(head) <= now or int(head, LEASE_END, 6) <= now then serve(hash) end
  end
  local score = redis.call('ZSCORE', line, place)
  if not score or tonumber(score) < 0 then asking[#asking + 1] = who end
end
return asking
