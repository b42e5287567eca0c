-- SPDX-License-Identifier: MIT
--
-- Purpose: grants the most frequent claim, in seven calls: one part of
-- capacity 1, of a name that has no members. Whatever else there may be to
-- do, acquire.lua does, which follows this.
--
-- KEYS   as in head.lua
-- ARGV   as in acquire.lua
-- Reply  as in acquire.lua
-- Cost   O(log N)

-- grant returns the fence of a grant and the body of its record.
local function grant(last, now, us, longest, tail)
  local fence = math.max((tonumber(last or '0') or 0) + 1, us)
  local lag = math.max(math.floor(fence / 1000) - now, 0)
  fence = text(fence)
  return fence, table.concat({
    fence, lag > 0 and text(lag) or '', longest > 0 and text(now + longest) or '', '', ':' .. tail,
  }, ',')
end

-- stored is a record as the ledger has it: with the token.
local function stored(head, token, body)
  return string.sub(head, 1, 1) .. text(#token) .. ':' .. token .. string.sub(head, 2) .. body
end

if #ARGV == 11 and #KEYS == 5 and ARGV[11] == '1' and string.sub(ARGV[10], -4) == '\0\0\0\1' then
  local id, head, member, ttl, longest = ARGV[1], ARGV[6], ARGV[10], tonumber(ARGV[3]), tonumber(ARGV[4])
  local name = string.sub(member, 1, -EXTENT - 1)
  local now, us = clock()
  local known = redis.call('HMGET', L, '#fence', '#until', '#queue', id, '#span' .. string.sub(member, 1, 1 - EXTENT))
  local first = redis.call('ZRANGEBYSCORE', X, '0', '+inf', 'WITHSCORES', 'LIMIT', '0', '1')
  if ttl and longest and #name > 1 and string.byte(name, -1) == 0 and string.byte(head) == 49 and (ARGV[8] == '' or not known[3]) and not (known[4] or known[5])
    and (not first[2] or tonumber(first[2]) > now)
    and #redis.call('ZRANGEBYLEX', I, '[' .. name, '(' .. name .. '\255', 'LIMIT', '0', '1') == 0
  then
    local left = longest > 0 and math.min(ttl, longest) or ttl
    if redis.call('ZADD', X, 'NX', text(now + left), id) == 1 then
      local fence, body = grant(known[1], now, us, longest, ARGV[7])
      redis.call('ZADD', I, '0', member .. id)
      if first[2] and tonumber(known[2] or '0') >= now + left + WEEK then
        redis.call('HSET', L, id, stored(head, ARGV[2], body), '#fence', fence)
      else
        local to = text(now + left + WEEK + HOUR)
        redis.call('HSET', L, id, stored(head, ARGV[2], body), '#fence', fence, '#until', to)
        redis.call('PEXPIREAT', I, to)
        redis.call('PEXPIREAT', L, to)
        redis.call('PEXPIREAT', X, to)
      end
      return { 0, now, {}, { id, left, head .. body } }
    end
  end
end

