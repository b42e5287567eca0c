-- SPDX-License-Identifier: MIT
--
-- Purpose: moves the deadlines of a batch of holds of one group, each on its
-- own, confirms grants, and takes holds over. A hold that is gone stays gone.
--
-- KEYS   as in head.lua
-- ARGV   for each hold: 1 id  2 token  3 ttl in ms, 0 = only look  4 most
--        extensions, 0 = no limit  5 what: "r" renew, "e" extend, "c" confirm a
--        grant, "t" take the hold over  6 the nonce of an extension, lest it
--        count twice; the new token of one who takes over; or the inbox of the
--        one who renews  7 the name of its first part
-- Reply  {now, {status, id, ms left, record}, …} in order, status 0 granted,
--        2 capped, or 3 missing, which has nothing behind it
-- Cost   O(log N) a hold, N the holds of the group, however many parts it has;
--        a confirmation also serves what an earlier script left, as in queue.lua

for a = 1, #ARGV, 7 do
  if #KEYS ~= 5 or not (ARGV[a + 6] and tonumber(ARGV[a + 2]) and tonumber(ARGV[a + 3])) then
    return redis.error_reply('ERR malformed renewal')
  end
end

-- A server at its memory limit refuses the first write of a script if that
-- may allocate. A renewal allocates next to nothing and must not fail then, so
-- a write that frees comes first; no id is empty, so it changes nothing.
redis.call('ZREM', X, '')
forget(32768) -- which takes some milliseconds: a group may have one hold that lasts, and no other traffic

local function extend(id, token, ttl, most, what, nonce, name)
  local hold = find(id, name)
  local left = hold and (score(hold.handle) or now) - now or 0
  if left <= 0 or not detail(hold) or hold.inbox == '.' then return { 3 } end
  if what == 't' and not proves(nonce, hold) then -- else this call comes again
    if not proves(token, hold, true) then return { 3 } end
    local acquired = math.floor(hold.fence / 1000) - hold.lag
    hold.fence = rising('#fence')
    hold.lag = math.floor(hold.fence / 1000) - acquired
    hold.proof = nonce .. '\0' .. token
    notify(hold)
    hold.inbox = ''
    if hold.provisional then -- and so it stays, but is of no inbox
      settle(hold)
      hold.inbox, hold.provisional = '?', ''
    end
    store(hold, { '#fence', text(hold.fence) })
  elseif what ~= 't' and not proves(token, hold) then
    return { 3 }
  end
  if ttl == 0 or what == 'e' and nonce ~= '' and nonce == hold.nonce then
    return { 0, id, left, hold.public }
  end
  local inbox = hold.provisional or what == 'r' and hold.inbox == '' and nonce or hold.inbox
  local want = ttl
  if hold.ends > 0 then want = math.min(ttl, hold.ends - now) end
  if what == 'e' and most > 0 and hold.extensions >= most or what ~= 'c' and want < ttl and want <= left then
    return { 2, id, left, hold.public }
  end
  if hold.provisional then settle(hold) end
  if what == 'e' then hold.extensions, hold.nonce = hold.extensions + 1, nonce end
  if what == 'e' or inbox ~= hold.inbox then
    hold.inbox = inbox
    store(hold)
  end
  left = math.max(left, want)
  redis.call('ZADD', X, 'XX', text(now + left), hold.handle)
  keep(left)
  return { 0, id, left, hold.public }
end

local reply, confirms = { now }, false
for a = 1, #ARGV, 7 do
  local ttl, most, what = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), ARGV[a + 4]
  table.insert(reply, extend(ARGV[a], ARGV[a + 1], ttl, most, what, ARGV[a + 5], ARGV[a + 6]))
  confirms = confirms or what == 'c'
end
if not confirms or redis.call('HEXISTS', L, '#more') == 0 then return reply end

