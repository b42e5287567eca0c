-- SPDX-License-Identifier: MIT
--
-- Purpose: releases the most frequent hold, of one part and by its token, in
-- seven calls. Whatever else there may be to do, release.lua does, which
-- follows this.
--
-- KEYS   as in head.lua
-- ARGV   as in release.lua
-- Reply  as in release.lua
-- Cost   O(log N)

if #KEYS == 5 and #ARGV == 4 and ARGV[3] == '0' then
  local id, token = ARGV[1], ARGV[2]
  local known = redis.call('HMGET', L, id, '#spans', '#queue')
  local record, begin = known[1], '1' .. text(#token) .. ':' .. token .. '1,'
  if record and string.sub(record, 1, #begin) == begin and not known[2] and not known[3] then
    local now, us = clock()
    local score = redis.call('ZSCORE', X, id)
    local colon = string.find(record, ':', #begin, true)
    local length = colon and tonumber(string.sub(record, #begin + 1, colon - 1))
    if length and score and tonumber(score) > now then
      local name = string.sub(record, colon + 1, colon + length)
      redis.call('HDEL', L, id)
      redis.call('ZREM', I, name .. '\0' .. string.sub(record, colon + length + 1, colon + length + EXTENT) .. id)
      remember(id, 0, now, us)
      return { 0 }
    end
  end
end

