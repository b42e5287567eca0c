-- SPDX-License-Identifier: MIT
--
-- Purpose: ends a live hold and removes whatever is left of it. An expired
-- one stays for the sweep to tell. For some seconds it is remembered that the
-- hold was ended, and so is a claim that is given up: one that waits, or whose
-- answer is not known, and which may come later than this. Then those who
-- wait and can go are woken.
--
-- KEYS   as in head.lua
-- ARGV   1 id  2 token  3 "1" to do it without the token  4 "1" to give the
--        claim up when there is no hold
-- Reply  {0, now, {id, ms that were left, record}}, {0} when this one has
--        ended it before, or {3}: no such live hold, or not with this token
-- Cost   O(log N) for each part

local id, token, force, giveup = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4]
if #KEYS ~= 5 or not giveup then
  return redis.error_reply('ERR malformed release')
end

local ends = score(id, now)
if not ends and giveup == '1' then
  redis.call('ZREM', X, '') -- as in extend.lua
  remember(id, 2, now)
  if redis.call('ZSCORE', Q, id) then
    leave(id)
    wake()
  end
end
if ends and ends < 0 and recalls(id, ends, force and token, now) then return { 0 } end
if not ends or ends <= now then return { 3 } end
local hold = read(id)
if not force and (not hold or hold.token ~= token) then return { 3 } end

redis.call('HDEL', L, id)
if hold then unindex(hold.members, id) end
if force then
  remember(id, 1, now)
  remember('!' .. token .. id, 0, now)
else
  remember(id, 0, now)
end
if redis.call('HEXISTS', L, '#queue') == 1 then wake() end
return { 0, now, { id, ends - now, hold and hold.public or '' } }
