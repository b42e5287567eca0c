-- SPDX-License-Identifier: MIT
--
-- Purpose: gives a place in the queue to the most frequent claim that waits: a
-- new one, for nothing but a key that is held as such. All else is left to
-- acquire.lua, which follows.
--
-- KEYS   as in head.lua
-- ARGV   as in acquire.lua
-- Reply  as in acquire.lua, with no expired holds
-- Cost   O(log N), in ten calls

if #ARGV == 11 and #KEYS == 5 and ARGV[11] == '1' and #ARGV[8] > 1 and ARGV[4] == '0'
  and string.byte(ARGV[6]) == 49 and string.byte(ARGV[10], -EXTENT) == KEY
then
  local id, member, inbox, name = ARGV[1], ARGV[10], ARGV[8], string.sub(ARGV[10], 1, -EXTENT - 2)
  local slot, claim = '=' .. name, '=' .. #name .. ':' .. name
  local t = redis.call('TIME')
  local us = t[1] * 1000000 + t[2]
  local now = math.floor(us / 1000)
  local known = redis.call('HMGET', L, '#seq', '#due', '#until', slot, id, '?' .. id)
  local last, due, lives, record = tonumber(known[1] or ''), tonumber(known[2] or '') or 0, tonumber(known[3] or '') or 0, known[4]
  local limit, latest = tonumber(ARGV[5]), tonumber(ARGV[9])
  local from, size, begin = string.match(ARGV[6], '^1()(%d+):()')
  local width, after = string.match(record or '', '^.(%d+):()')
  local length, at = string.match(record or '', '^=(%d+):()', after and after + width)
  local holder = at and string.sub(record, at, at + length - 1)
  if tonumber(ARGV[2]) and tonumber(ARGV[3]) and limit and latest and begin
    and holder and holder ~= id and not known[5] and not known[6] -- not live, unrecorded or queued
    and now < latest and due > now and lives >= now + PRESENT + WEEK
  then
    local left = (tonumber(redis.call('ZSCORE', X, slot) or '') or 0) - now
    local before = left > 0 and not redis.call('ZSCORE', X, id) and redis.call('ZLEXCOUNT', Q, '[' .. name .. '\0', '(' .. name .. '\0\255')
    if before and before < MOST then
      local named = {}
      if limit > 0 then
        named[1] = { 1, member, holder, left, string.sub(record, 1, 1) .. claim .. string.sub(record, at + length) }
      end
      local stamp = string.format('%016.0f', math.max(us, last and last < us + YEAR and last + 1 or 0))
      local seen = string.format('%.0f', now + PRESENT)
      local longest = ARGV[3] ~= '0' and ARGV[3] or ''
      local token = string.sub(ARGV[6], from, begin + size - 1)
      redis.call('ZADD', X, seen, '@' .. inbox)
      redis.call('ZADD', Q, '0', name .. '\0' .. stamp .. string.sub(member, -EXTENT) .. id, '0', '\0' .. inbox .. '\0' .. id)
      redis.call('PEXPIREAT', Q, known[3])
      redis.call('HINCRBY', L, '+' .. name, '1')
      redis.call('HSET', L, '#seq', stamp, '#due', now + PRESENT < due and seen or known[2],
        '?' .. id, stamp .. ',' .. #inbox .. ':' .. inbox .. claim .. ARGV[2] .. ',' .. longest .. ',,' .. token .. '1,' .. ARGV[7])
      return { 1, now, {}, left, before + 1, 0, named }
    end
  end
end

