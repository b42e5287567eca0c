-- SPDX-License-Identifier: MIT
--
-- Deletes some records of an owner, those first that lapse first.
--
-- KEYS   1 expiry index x, 2 owner index u
-- ARGV   1 owner, 2 records at most, 3… hashes to leave alone
-- Reply  {1 = records may be missing in the index, 1 = there are more, hash…} with
--        those that were there
-- Cost   O(at most · log n). The keys of records are derived from the index: same
--        slot. A retry deletes further ones.

local except, spared = {}, 0
for i = 3, #ARGV do except[latest(ARGV[i])] = true end

local reply = {partial(ARGV[1]) and 1 or 0, 0}
local o = base .. 'o'
local lost = redis.call('EXISTS', KEYS[2]) == 0 and score(o, ARGV[1]) or 0
local most, gone = tonumber(ARGV[2]) + #ARGV - 2, 0
local entries = redis.call('ZRANGE', KEYS[2], 0, most - 1, 'WITHSCORES')
for i = 1, #entries, 2 do
  local hash, ends = entries[i], tonumber(entries[i + 1])
  local key = base .. 'd' .. hash
  local head = header(key)
  -- A record that is gone before its time was evicted, or has not come yet while its
  -- slot moves to this server. Its entry comes again with use.
  if head == '' and ends > now then reply[1], gone = 1, math.max(gone, ends) end
  if except[hash] then
    spared = spared + 1
  else
    redis.call('ZREM', KEYS[2], hash)
    if head ~= '' and (not valid(head) or owned(head) == KEYS[2]) then
      unindex(hash, head)
      redis.call('DEL', key)
      reply[#reply + 1] = hash
    end
  end
end
-- Without o it is known that records may be missing.
if gone > 0 and redis.call('EXISTS', o) == 1 then redis.call('ZADD', o, 'GT', gone, '-' .. ARGV[1]) end
local left = redis.call('ZCARD', KEYS[2])
if left > spared then reply[2] = 1 end
if left == 0 then
  redis.call('ZREM', o, ARGV[1])
  -- What an eviction hid is still there: a repeated call has to say so, too.
  if lost > now then redis.call('ZADD', o, 'GT', lost, '-' .. ARGV[1]) end
end
return reply
