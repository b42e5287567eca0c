-- SPDX-License-Identifier: MIT
--
-- Comes after record.lua in every script: the line of those who wait for the
-- lease of a record.
--
-- A line is the sorted set w<hash>. A member is a place: the name of the lease
-- that is wanted (8 bytes) and the inbox of the process that waits. The score
-- rises in the order of arrival. The place whose turn it is comes first: its score
-- is minus the time in ms until which it has to take the lease. A place counts
-- while its process was seen, which is while i<inbox> exists.

local TRIAL, PRESENT, LINE = 2000, 3000, 10000 -- ms: a turn; an inbox after it was seen; a line that is not seen to
local FORGOTTEN = 128 -- places of processes that are gone, which one script removes at most

-- serve gives the turn to the first of a line whose process was seen, unless
-- one has it, and publishes that to its inbox. It returns the place that has it.
function serve(hash)
  local line = base .. 'w' .. hash
  for _ = 1, FORGOTTEN do
    local first = redis.call('ZRANGE', line, '0', '0', 'WITHSCORES')
    local place, score = first[1], tonumber(first[2])
    if not place or score < -now then return place end
    local inbox = string.sub(place, 9)
    if score > 0 and redis.call('EXISTS', base .. 'i' .. inbox) == 1 then
      redis.call('ZADD', line, -now - TRIAL, place)
      redis.pcall('PUBLISH', string.match(base, '^[^:]*') .. ':inbox:' .. inbox, at(place, 0, 8))
      return place
    end
    redis.call('ZREM', line, place)
  end
end

