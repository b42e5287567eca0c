-- SPDX-License-Identifier: MIT
--
-- Purpose: grants the most frequent claim: one part of capacity 1 that nobody
-- holds, no matter of which kind, while nothing is to be swept. Whatever else
-- there may be to do, acquire.lua does, which follows this.
--
-- KEYS   as in head.lua
-- ARGV   as in acquire.lua
-- Reply  "fence,lag," when granted, all else is known to who asked; or as in
--        acquire.lua
-- Cost   O(log N), in five calls for a key of a group without spans

if #ARGV == 9 and #KEYS == 5 and ARGV[9] == '1' and string.sub(ARGV[8], -4) == '\0\0\0\1' and string.byte(ARGV[5]) == 49 then
  local member, name = ARGV[8], string.sub(ARGV[8], 1, -EXTENT - 2)
  local slot, lone = '=' .. name, string.byte(member, -EXTENT) == KEY
  local t = redis.call('TIME')
  local us, left, longest = t[1] * 1000000 + t[2], tonumber(ARGV[2]), tonumber(ARGV[3])
  local now = math.floor(us / 1000)
  local known = redis.call('HMGET', L, slot, '#due', '#until', '#fence', '#queue')
  local due, ends = tonumber(known[2] or '0'), now + (left or 0)
  if left and longest and name ~= '' and string.byte(member, #name + 1) == 0 and not known[1]
    and due > now and tonumber(known[3] or '0') >= ends + WEEK and (ARGV[7] == '' or not known[5])
  then
    local indexed = redis.call('EXISTS', I) == 1
    if (lone or indexed) and (not indexed
      or #redis.call('ZRANGEBYLEX', I, '[' .. name .. '\0', '(' .. name .. '\0\255', 'LIMIT', '0', '1') == 0)
    then
      local deadline = string.format('%.0f', ends)
      if redis.call('ZADD', X, 'NX', deadline, ARGV[1]) == 1 then
        local fence = math.max((tonumber(known[4] or '0') or 0) + 1, us)
        local lag = math.floor(fence / 1000) - now
        fence = string.format('%.0f', fence)
        local stamp = fence .. ',' .. (lag > 0 and string.format('%.0f', lag) or '') .. ','
        local record = ARGV[5] .. stamp .. (longest > 0 and string.format('%.0f', now + longest) or '') .. ',,:' .. ARGV[6]
        if not lone then redis.call('ZADD', I, '0', member .. ARGV[1]) end
        if ends < due then redis.call('HSET', L, '#due', deadline) end
        if lone then
          redis.call('HSET', L, ARGV[1], record, '#fence', fence, slot, ARGV[1])
        else
          redis.call('HSET', L, ARGV[1], record, '#fence', fence)
        end
        return stamp
      end
    end
  end
end

