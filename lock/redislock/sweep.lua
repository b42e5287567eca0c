-- SPDX-License-Identifier: MIT
--
-- Purpose: forgets the expired holds that were recorded, finds more, and returns
-- those that were not recorded yet.
--
-- KEYS   as in head.lua
-- ARGV   1 how many to find and how many to return  2… ids that were recorded
-- Reply  {now, {id, ms left (not positive), record}, …}, the oldest first.
--        Records of a newer version are left for the programs that read them.
-- Cost   O(log N) for each hold recorded, found or returned

local limit = tonumber(ARGV[1] or '')
if #KEYS ~= 5 or not limit then
  return redis.error_reply('ERR malformed sweep')
end

for a = 2, #ARGV do
  if redis.call('ZREM', U, ARGV[a]) == 1 then -- not if it lives, or lives again
    redis.call('HDEL', L, ARGV[a])
  end
end
sweep(text(limit))
serve()

local reply, at = { now }, 0
while #reply <= limit do
  local page = redis.call('ZRANGE', U, text(at), text(at + 63), 'WITHSCORES')
  if #page == 0 then break end
  for k = 1, #page, 2 do
    local hold = read(page[k])
    if not hold then
      redis.call('ZREM', U, page[k]) -- its record is gone or unreadable
    elseif READS[hold.version] and #reply <= limit then
      table.insert(reply, { page[k], tonumber(page[k + 1]) - now, hold.public })
    end
  end
  at = at + 64
end
return reply
