-- SPDX-License-Identifier: MIT
--
-- Purpose: ends a live hold and removes whatever is left of it. An expired
-- one stays for the sweep to tell.
--
-- KEYS   as in record.lua
-- ARGV   1 id  2 token  3 "1" to do it without the token
-- Reply  {0, now, {id, ms that were left, record}}, or {3}: no such live hold,
--        or not with this token
-- Cost   O(log N) for each part

local id, token, force = ARGV[1], ARGV[2], ARGV[3]
if #KEYS ~= 6 or not force then
  return redis.error_reply('ERR malformed release')
end

local now = clock()
local score = redis.call('ZSCORE', X, id)
if not score or tonumber(score) <= now then return { 3 } end
local hold = read(id)
if force ~= '1' and (not hold or hold.token ~= token) then return { 3 } end

redis.call('ZREM', X, id)
redis.call('HDEL', L, id)
if hold then unindex(hold.members, id) end
return { 0, now, { id, tonumber(score) - now, hold and hold.public or '' } }
