-- SPDX-License-Identifier: MIT
--
-- Purpose: moves the deadlines of a batch of holds of one group, each on its
-- own. A hold that is gone stays gone.
--
-- KEYS   as in head.lua
-- ARGV   for each hold: 1 id  2 token  3 ttl in ms, 0 = only look  4 most
--        extensions, 0 = no limit  5 "1" when this one counts as an extension
--        6 its nonce, lest it count twice; "" = none
-- Reply  {now, {status, id, ms left, record}, …} in order, status 0 granted,
--        2 capped, or 3 missing, which has nothing behind it
-- Cost   O(log N) a hold, N the holds of the group, however many parts it has

for a = 1, #ARGV, 6 do
  if #KEYS ~= 5 or not (ARGV[a + 5] and tonumber(ARGV[a + 2]) and tonumber(ARGV[a + 3])) then
    return redis.error_reply('ERR malformed renewal')
  end
end

local now = clock()

-- A server at its memory limit refuses the first write of a script if that
-- may allocate. A renewal allocates next to nothing and must not fail then, so
-- a write that frees comes first; no id is empty, so it changes nothing.
redis.call('ZREM', X, '')

local function extend(id, token, ttl, most, counts, nonce)
  local score = redis.call('ZSCORE', X, id)
  local left = score and tonumber(score) - now or 0
  local hold = left > 0 and read(id)
  if not hold or hold.token ~= token or not READS[hold.version] then
    return { 3 }
  end
  local fence, lag, ends, extensions, last, p
  fence, p = number(hold.body, 1)
  if p then lag, p = number(hold.body, p) end
  if p then ends, p = number(hold.body, p) end
  if p then extensions, p = number(hold.body, p) end
  if p then last, p = field(hold.body, p) end
  if not p then return { 3 } end
  if ttl == 0 or counts and nonce ~= '' and nonce == last then
    return { 0, id, left, hold.public }
  end
  local want = ttl
  if ends > 0 then want = math.min(ttl, ends - now) end
  if counts and most > 0 and extensions >= most or want < ttl and want <= left then
    return { 2, id, left, hold.public }
  end
  left = math.max(left, want)
  if counts then
    redis.call('HSET', L, id, table.concat({
      hold.head .. text(fence), nonzero(lag), nonzero(ends), text(extensions + 1),
      nonzero(#nonce) .. ':' .. nonce .. string.sub(hold.body, p),
    }, ','))
    hold.public = public(id)
  end
  redis.call('ZADD', X, 'XX', text(now + left), id)
  keep(now, left)
  return { 0, id, left, hold.public }
end

local reply = { now }
for a = 1, #ARGV, 6 do
  local ttl, most = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  table.insert(reply, extend(ARGV[a], ARGV[a + 1], ttl, most, ARGV[a + 4] == '1', ARGV[a + 5]))
end
return reply
