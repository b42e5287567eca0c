-- SPDX-License-Identifier: MIT
--
-- Purpose: keeps the places of an inbox, and passes on what lapsed meanwhile.
-- Each process sends it once a second for each group where it waits.
--
-- KEYS   as in head.lua
-- ARGV   1 the inbox
-- Reply  {now, status, places, {id, ms left, record}, …}: status 0; 1 when the
--        inbox was not known or not seen for too long, so that its waiters have
--        to ask again; 2 when the server lets no script publish, so that they
--        have to ask each second. Then how many places the inbox has, and the
--        holds granted to it that were not confirmed yet: a message may have
--        got lost.
-- Cost   O(log N), and that of serve in queue.lua for up to 64 lapsed holds

local inbox = ARGV[1]
if #KEYS ~= 5 or not inbox or #inbox < 2 then
  return redis.error_reply('ERR malformed ping')
end

redis.call('ZREM', X, '') -- as in extend.lua: a place that is kept takes no memory
local seen = redis.call('ZSCORE', X, '@' .. inbox)
local status = seen and tonumber(seen) > now and 0 or 1
if status == 0 then redis.call('ZADD', X, text(now + PRESENT), '@' .. inbox) end
again()
sweep('64')
serve()
if status == 0 and (tonumber(redis.call('HGET', L, '#mute') or '') or 0) > now - PRESENT then status = 2 end

local own = '\0' .. inbox .. '\0'
local places, prefix = redis.call('ZLEXCOUNT', Q, '[' .. own, '(' .. own .. '\255'), '\0' .. own
local reply = { now, status, places }
for _, m in ipairs(redis.call('ZRANGEBYLEX', Q, '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', '0', '128')) do
  local handle = string.sub(m, #prefix + 1)
  local ends = score(handle)
  if ends and ends > now then
    table.insert(reply, shown(handle, ends))
  else
    redis.call('ZREM', Q, m)
  end
end
return reply
