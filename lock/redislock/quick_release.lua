-- SPDX-License-Identifier: MIT
--
-- Purpose: releases the most frequent hold, of one part that no other hold and
-- no waiter shares a name with, by its token. All else is left to release.lua,
-- which follows, and now and then this too, to clean up.
--
-- KEYS   as in head.lua
-- ARGV   as in release.lua
-- Reply  0, released; or as in release.lua
-- Cost   O(log N), in seven calls for a key, and one more for the last hold

if #KEYS == 5 and #ARGV == 4 and ARGV[3] == '0' then
  local id, begin = ARGV[1], '1' .. #ARGV[2] .. ':' .. ARGV[2]
  local known = redis.call('HMGET', L, id, '#spans')
  local record = known[1]
  if record and not known[2] and string.sub(record, 1, #begin) == begin then
    local t = redis.call('TIME')
    local now = math.floor(t[1] * 1000 + t[2] / 1000)
    local lone = string.byte(record, #begin + 1) == KEY
    local from = #begin + (lone and 2 or 3)
    local colon = (lone or string.sub(record, #begin + 1, #begin + 2) == '1,') and string.find(record, ':', from, true)
    local length = colon and tonumber(string.sub(record, from, colon - 1))
    local body = length and colon + length + (lone and 1 or 1 + EXTENT)
    -- The body is a fence, lag, end and extensions, and then nothing kept, no
    -- nonce and no inbox.
    if body and t[2] % 32 > 0 and string.find(record, '^%d+,%d*,%d*,%d*,,::', body) then
      local name = string.sub(record, colon + 1, colon + length)
      local fields, others = { id, '+' .. name }, redis.call('HGET', L, '+' .. name)
      local ends = (lone and not others or not lone and others == '1') and redis.call('ZSCORE', X, id)
      if ends and tonumber(ends) > now then
        if lone then
          fields[2] = '=' .. name
        else
          redis.call('ZREM', I, name .. '\0' .. string.sub(record, colon + length + 1, colon + length + EXTENT) .. id)
        end
        if redis.call('HLEN', L) <= 6 then -- but for these: #fence, #until, #due, and #seq or an untold hold
          fields[3] = '#due'
          redis.call('PEXPIRE', X, '5000') -- as in rest
        end
        redis.call('HDEL', L, unpack(fields))
        redis.call('ZADD', X, string.format('%.0f', 4 * now - 2 ^ 50), id) -- as in remember
        return 0
      end
    end
  end
end

