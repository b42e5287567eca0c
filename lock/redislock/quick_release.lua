-- SPDX-License-Identifier: MIT
--
-- Purpose: releases the most frequent hold, of one part and by its token.
-- Whatever else there may be to do, release.lua does, which follows this, and
-- now and then this too, to clean up.
--
-- KEYS   as in head.lua
-- ARGV   as in release.lua
-- Reply  0, released; or as in release.lua
-- Cost   O(log N), in six calls for a key, and one more for the last hold

if #KEYS == 5 and #ARGV == 4 and ARGV[3] == '0' then
  local id, begin = ARGV[1], '1' .. #ARGV[2] .. ':' .. ARGV[2]
  local known = redis.call('HMGET', L, id, '#queue', '#spans')
  local record = known[1]
  if record and not known[2] and not known[3] and string.sub(record, 1, #begin) == begin then
    local t = redis.call('TIME')
    local now = math.floor(t[1] * 1000 + t[2] / 1000)
    local ends = redis.call('ZSCORE', X, id)
    local lone = string.byte(record, #begin + 1) == KEY
    local from = #begin + (lone and 2 or 3)
    local colon = (lone or string.sub(record, #begin + 1, #begin + 2) == '1,') and string.find(record, ':', from, true)
    local length = colon and tonumber(string.sub(record, from, colon - 1))
    if length and ends and tonumber(ends) > now and t[2] % 32 > 0 then
      local name = string.sub(record, colon + 1, colon + length)
      local fields = { id }
      if lone then
        fields[2] = '=' .. name
      else
        redis.call('ZREM', I, name .. '\0' .. string.sub(record, colon + length + 1, colon + length + EXTENT) .. id)
      end
      if redis.call('HLEN', L) <= 3 + #fields then -- but for these: #fence, #until, #due
        fields[#fields + 1] = '#until'
        redis.call('PEXPIRE', X, '5000') -- as in rest
      end
      redis.call('HDEL', L, unpack(fields))
      redis.call('ZADD', X, string.format('%.0f', 4 * now - 2 ^ 50), id) -- as in remember
      return 0
    end
  end
end

