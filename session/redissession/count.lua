-- SPDX-License-Identifier: MIT
--
-- Reads the numbers of one partition from its indexes.
--
-- KEYS   1 expiry index x, 2 backlog b, 3 quarantine q
-- ARGV   1 quarantine ms
-- Reply  {live records, lapsed and not settled, in quarantine, the oldest of the
--        lapsed is due for ms}
-- Cost   O(log n). Writes nothing.

local oldest = now
for i = 1, 2 do
  local first = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  if first[2] then oldest = math.min(oldest, tonumber(first[2])) end
end
return {
  redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf'),
  redis.call('ZCOUNT', KEYS[1], '-inf', now) + redis.call('ZCARD', KEYS[2]),
  redis.call('ZCOUNT', KEYS[3], '(' .. now - ARGV[1], '+inf'),
  now - oldest,
}
