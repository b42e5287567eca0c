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
-- Cost   O(log N), in five calls for a key of a group without spans; three
--        more when the group rests (see rest in record.lua)

if #ARGV == 9 and #KEYS == 5 and ARGV[9] == '1' and string.sub(ARGV[8], -4) == '\0\0\0\1' and string.byte(ARGV[5]) == 49 then
  local id, member, name = ARGV[1], ARGV[8], string.sub(ARGV[8], 1, -EXTENT - 2)
  local slot, lone = '=' .. name, string.byte(member, -EXTENT) == KEY
  local t = redis.call('TIME')
  local us, left, longest = t[1] * 1000000 + t[2], tonumber(ARGV[2]), tonumber(ARGV[3])
  local now = math.floor(us / 1000)
  local known = redis.call('HMGET', L, '#fence', '#due', '#until', '#queue', slot, id)
  local last, due, lives, ends = tonumber(known[1] or ''), tonumber(known[2] or '0'), tonumber(known[3] or '0'), now + (left or 0)
  local resting = last and lives == 0 -- so nothing is live, nor due to be swept
  if left and longest and name ~= '' and string.byte(member, #name + 1) == 0 and not known[5]
    and not known[6] -- live or untold: asked for again
    and (resting or due > now and lives >= ends + WEEK) and (ARGV[7] == '' or not known[4])
  then
    local indexed = redis.call('EXISTS', I) == 1
    if (lone or indexed or resting) and (not indexed
      or #redis.call('ZRANGEBYLEX', I, '[' .. name .. '\0', '(' .. name .. '\0\255', 'LIMIT', '0', '1') == 0)
    then
      local deadline = string.format('%.0f', ends)
      if redis.call('ZADD', X, 'NX', deadline, id) == 1 then
        local fence, ahead = t[1] .. string.sub('00000' .. t[2], -6), 0
        if last and last >= us then
          fence, ahead = string.format('%.0f', last + 1), math.floor((last + 1) / 1000) - now
        end
        local stamp = fence .. ',' .. (ahead > 0 and string.format('%.0f', ahead) or '') .. ','
        local record = ARGV[5] .. stamp .. (longest > 0 and string.format('%.0f', now + longest) or '') .. ',,:' .. ARGV[6]
        local fields = { '#fence', fence, id, record }
        if lone then
          fields[5], fields[6] = slot, id
        else
          redis.call('ZADD', I, '0', member .. id)
        end
        if resting or ends < due then
          fields[#fields + 1], fields[#fields + 2] = '#due', deadline
        end
        if resting then
          local to = string.format('%.0f', ends + WEEK + HOUR)
          fields[#fields + 1], fields[#fields + 2] = '#until', to
          redis.call('PEXPIREAT', X, to)
          redis.call('PEXPIREAT', L, to)
          redis.call('PEXPIREAT', I, to) -- if there is one
        end
        redis.call('HSET', L, unpack(fields))
        return stamp
      end
    end
  end
end

