-- SPDX-License-Identifier: MIT
--
-- Purpose: grants the most frequent claim: one part of capacity 1 of a name
-- that has neither a hold nor a waiter, while nothing is to be swept. All else
-- is left to acquire.lua, which follows.
--
-- KEYS   as in head.lua
-- ARGV   as in acquire.lua
-- Reply  "fence,lag," when granted, all else is known to the caller; or as in
--        acquire.lua
-- Cost   O(log N), in six calls for a key, in seven for nights; one more when the
--        group rests (see bound in record.lua)

if #ARGV == 11 and #KEYS == 5 and ARGV[11] == '1' and #ARGV[8] < 2 and ARGV[4] == '0' and string.byte(ARGV[6]) == 49 then
  local id, member, name = ARGV[1], ARGV[10], string.sub(ARGV[10], 1, -EXTENT - 2)
  local lone, slot = string.byte(member, -EXTENT) == KEY, '=' .. name
  local t = redis.call('TIME')
  local us, left, longest = t[1] * 1000000 + t[2], tonumber(ARGV[2]), tonumber(ARGV[3])
  local now = math.floor(us / 1000)
  local known = redis.call('HMGET', L, '#fence', '#due', '#until', slot, '+' .. name, id)
  local last, due, lives = tonumber(known[1] or ''), tonumber(known[2] or ''), tonumber(known[3] or '') or 0
  local ends = now + (left or 0)
  if left and longest and name ~= '' and string.byte(member, #name + 1) == 0 and string.sub(member, -4) == '\0\0\0\1'
    and not known[4] and not known[5]
    and not known[6] -- live or unrecorded: asked for again
    and lives >= ends + WEEK
    and (not due or due > now) -- so nothing is due to be swept
    and not redis.call('ZRANGEBYLEX', I, '[' .. name .. '\0', '(' .. name .. '\0\255', 'LIMIT', '0', '1')[1]
  then
    local deadline, handle = string.format('%.0f', ends), lone and slot or id
    -- X has the id if the claim was given up, or its hold released: acquire.lua answers that.
    if not (lone and redis.call('ZSCORE', X, id)) and redis.call('ZADD', X, 'NX', deadline, handle) == 1 then
      local fence, ahead = t[1] .. string.sub('00000' .. t[2], -6), 0
      if last and last >= us and last < us + YEAR then
        fence, ahead = string.format('%.0f', last + 1), math.floor((last + 1) / 1000) - now
      end
      local stamp = fence .. ',' .. (ahead > 0 and string.format('%.0f', ahead) or '') .. ','
      local limit = longest > 0 and string.format('%.0f', now + longest) or ''
      local first = (not due or ends < due) and deadline or known[2]
      local record = ARGV[6] .. stamp .. limit .. ',,,::' .. ARGV[7]
      if not due then redis.call('PEXPIREAT', X, known[3]) end -- the group rested
      if not lone then
        redis.call('ZADD', I, '0', member .. id)
        redis.call('PEXPIREAT', I, known[3])
      end
      redis.call('HSET', L, '#fence', fence, '#due', first, handle, record)
      return stamp
    end
  end
end

