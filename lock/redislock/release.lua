-- SPDX-License-Identifier: MIT
--
-- Purpose: ends a live hold and removes whatever is left of it. An expired
-- one stays for the sweep to report. For some seconds it is remembered that the
-- hold was ended, unless its claim cannot arrive again; and so is a claim that is
-- given up: one that waits, or whose answer is not known, and which may come
-- later than this. What that frees is granted to those who wait, as in
-- queue.lua.
--
-- KEYS   as in head.lua
-- ARGV   1 id  2 token  3 "1" to do it without the token  4 "1" to give the
--        claim up when there is no hold  5 the time in ms at which the hold ends
--        if its claim cannot arrive again, else ""  6 how often this was sent
--        7 the name of its first part
-- Reply  {0, now, {id, ms that were left, record}}, {0} when this one has
--        ended it before, or {3}: no such live hold, or not with this token
-- Cost   O(log N) for each part, and that of serve in queue.lua

local id, token, force, giveup = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1'
local till, sent, name = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
if #KEYS ~= 5 or not sent or not name then
  return redis.error_reply('ERR malformed release')
end

redis.call('ZREM', X, '') -- as in extend.lua
local ends, hold = current(id, name)
local live, reply = ends and ends > now, { 3 }
local known = hold and detail(hold)
if not live and (force or (ends or 0) >= 0) and score('!' .. token .. id) then
  reply = { 0 } -- this one did it before, or it was kept for a while
elseif not ends and giveup then
  remember(id, 2)
  local w = queued(id)
  if w then leave(w) end
elseif ends and ends < 0 then
  if not force and ends % 4 == 0 then reply = { 0 } end
elseif not ends and till and sent > 1 and now < till then
  reply = { 0 } -- only an earlier try of this can have ended it
elseif live and (force or hold and proves(token, hold)) then
  reply = { 0, now, { id, ends - now, hold and hold.public or '' } }
  if known and hold.inbox == '.' and not force then
    reply = { 0 }
  elseif known and hold.keep > now and not force and not giveup then
    if hold.provisional then settle(hold) end
    hold.inbox = '.'
    store(hold)
    redis.call('ZADD', X, 'XX', text(hold.keep), hold.handle)
    remember('!' .. token .. id, 0)
    keep(hold.keep - now)
  else
    if known and force then notify(hold) end
    vacate(hold or unreadable(id))
    if not till and string.byte(id) ~= KEY then remember(id, force and 1 or 0) end
    if force then remember('!' .. token .. id, 0) end
  end
end
if not serve() then bound() end
return reply
