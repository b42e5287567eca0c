-- SPDX-License-Identifier: MIT
--
-- Purpose: releases the most frequent holds by their token, while nothing is to
-- be swept, and when the ending need not be remembered: one part of a name that no
-- one waits for; or a key that the first waiter, who wants nothing but this key, is
-- granted. All else is left to release.lua, which follows.
--
-- KEYS   as in head.lua
-- ARGV   as in release.lua
-- Reply  0, released; or as in release.lua
-- Cost   O(log N), in five calls for a key, in six for nights, in seventeen when a
--        key is handed over; one more each for a grant that is not confirmed and
--        when the group rests

if #KEYS == 5 and #ARGV == 7 and ARGV[3] == '0' and ARGV[5] ~= '' then
  local id, name = ARGV[1], ARGV[7]
  local slot, proof = '=' .. name, '1' .. #ARGV[2] .. ':' .. ARGV[2]
  local known = redis.call('HMGET', L, slot, '+' .. name, '#due', '#spans', id)
  local record, waiters, due = known[1] or '', known[2], tonumber(known[3] or '')
  local begin = proof .. '=' .. #id .. ':' .. id
  local lone = string.sub(record, 1, #begin) == begin
  if not lone then
    record, begin = known[5] or '', proof .. '1,' .. #name .. ':' .. name
  end
  if due and not known[4] and string.sub(record, 1, #begin) == begin then
    local t = redis.call('TIME')
    local us = t[1] * 1000000 + t[2]
    local now = math.floor(us / 1000)
    local handle = lone and slot or id
    local member = not lone and name .. '\0' .. string.sub(record, #begin + 1, #begin + EXTENT) .. id
    -- The body is a fence, lag, end and extensions, and then nothing kept, no
    -- nonce, and the inbox, with "?" while the grant is not confirmed.
    local size, at = string.match(record, '^%d+,%d*,%d*,%d*,,:(%d*):()', #begin + (lone and 1 or 1 + EXTENT))
    local inbox = at and string.sub(record, at, at + (tonumber(size) or 0) - 1)
    if inbox and inbox ~= '.' and due > now then
      local mark = string.byte(inbox) == 63 and '\0\0' .. string.sub(inbox, 2) .. '\0' .. handle -- "?", as in settle
      if not waiters and (lone or redis.call('ZREM', I, member) == 1) and redis.call('ZREM', X, handle) == 1 then
        local fields = { handle }
        if mark then redis.call('ZREM', Q, mark) end
        if redis.call('ZCOUNT', X, '0', '+inf') == 0 then -- the group rests, as in bound
          fields[2] = '#due'
          redis.call('PEXPIRE', X, '5000')
        end
        redis.call('HDEL', L, unpack(fields))
        return 0
      end

      local first = lone and waiters and redis.call('ZSCORE', X, slot) and redis.call('ZRANGEBYLEX', Q, '[' .. name .. '\0', '(' .. name .. '\0\255', 'LIMIT', '0', '1')[1]
      local part = #name + 18 -- where its extent begins: behind the name, a NUL and 16 digits
      local heir = first and string.byte(first, part) == KEY and string.sub(first, part + EXTENT)
      local place = heir and redis.call('HGET', L, '?' .. heir)
      local claim, channel, ttl, longest, token, tail = '=' .. #name .. ':' .. name
      size, at = string.match(place or '', '^%d+,(%d+):()')
      if at then
        channel, at = string.sub(place, at, at + size - 1), at + size
        if string.sub(place, at, at + #claim - 1) == claim then
          ttl, longest, size, at = string.match(place, '^(%d+),(%d*),,(%d+):()', at + #claim) -- nothing is kept
        end
      end
      if ttl and string.sub(place, at + size, at + size + 1) == '1,' then
        token, tail = string.sub(place, at, at + size - 1), string.sub(place, at + size + 2)
      end
      local seen = token and redis.call('ZSCORE', X, '@' .. channel)
      local group = redis.call('HMGET', L, '#fence', '#until')
      local last, lives = tonumber(group[1] or ''), tonumber(group[2] or '') or 0
      local left = math.min(tonumber(ttl or '') or 0, TRIAL)
      local deaf = token and string.byte(channel) == 33 and redis.pcall('PUBSUB', 'NUMSUB', string.sub(channel, 2))[2] == 0 -- as in queue.lua
      if seen and tonumber(seen) > now and not deaf and lives >= now + left + WEEK
        and not redis.call('ZRANGEBYLEX', I, '[' .. name .. '\0', '(' .. name .. '\0\255', 'LIMIT', '0', '1')[1]
      then
        local fence, ahead = t[1] .. string.sub('00000' .. t[2], -6), 0
        if last and last >= us and last < us + YEAR then
          fence, ahead = string.format('%.0f', last + 1), math.floor((last + 1) / 1000) - now
        end
        local stamp = fence .. ',' .. (ahead > 0 and string.format('%.0f', ahead) or '') .. ','
        local limit = longest ~= '' and string.format('%.0f', now + longest) or ''
        local deadline = string.format('%.0f', now + left)
        redis.call('ZREM', U, heir) -- the first write, which a full server refuses unless it frees
        if type(redis.pcall('PUBLISH', string.sub(channel, 2), heir .. ' ' .. deadline .. ' ' .. stamp)) == 'number' then
          redis.call('HDEL', L, '?' .. heir, '^' .. heir, heir) -- the last: the record of an expired hold of it
          redis.call('ZADD', X, deadline, slot)
          redis.call('HSET', L, '#fence', fence, '#due', now + left < due and deadline or known[3],
            slot, '1' .. size .. ':' .. token .. '=' .. #heir .. ':' .. heir .. stamp .. limit .. ',,,:' .. string.format('%.0f', #channel + 1) .. ':?' .. channel .. tail)
          if mark then redis.call('ZREM', Q, mark) end -- before it is set for the heir, whose inbox may be the same
          redis.call('ZADD', Q, '0', '\0\0' .. channel .. '\0' .. slot) -- before the place goes, so that the queue never does
          redis.call('ZREM', Q, first, '\0' .. channel .. '\0' .. heir)
          if waiters == '1' then
            redis.call('HDEL', L, '+' .. name)
          else
            redis.call('HINCRBY', L, '+' .. name, '-1')
          end
          return 0
        end
      end
    end
  end
end

