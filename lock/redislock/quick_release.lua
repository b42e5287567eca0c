-- SPDX-License-Identifier: MIT
--
-- Purpose: releases the most frequent hold, of one part and by its token.
-- Whatever else there may be to do, release.lua does, which follows this, and
-- now and then this too, to clean up.
--
-- KEYS   as in head.lua
-- ARGV   as in release.lua
-- Reply  0, released; or as in release.lua
-- Cost   O(log N), in six calls for a key

if #KEYS == 5 and #ARGV == 4 and ARGV[3] == '0' then
  local id, begin = ARGV[1], '1' .. #ARGV[2] .. ':' .. ARGV[2]
  local known = redis.call('HMGET', L, id, '#queue', '#spans')
  local record = known[1]
  if record and not known[2] and not known[3] and string.sub(record, 1, #begin) == begin then
    local t = redis.call('TIME')
    local now = math.floor(t[1] * 1000 + t[2] / 1000)
    local score = redis.call('ZSCORE', X, id)
    local lone = string.byte(record, #begin + 1) == KEY
    local from = #begin + (lone and 2 or 3)
    local colon = (lone or string.sub(record, #begin + 1, #begin + 2) == '1,') and string.find(record, ':', from, true)
    local length = colon and tonumber(string.sub(record, from, colon - 1))
    if length and score and tonumber(score) > now and t[2] % 32 > 0 then
      local name = string.sub(record, colon + 1, colon + length)
      if lone then
        redis.call('HDEL', L, id, '=' .. name)
      else
        redis.call('HDEL', L, id)
        redis.call('ZREM', I, name .. '\0' .. string.sub(record, colon + length + 1, colon + length + EXTENT) .. id)
      end
      redis.call('ZADD', X, string.format('%.0f', 4 * now - 2 ^ 50), id) -- as in remember
      if redis.call('HLEN', L) <= 3 and redis.call('ZCOUNT', X, '0', '+inf') == 0 then
        redis.call('PEXPIRE', X, '5000') -- as in rest: no records, so this may have been the last
        redis.call('HDEL', L, '#until')
      end
      return 0
    end
  end
end

