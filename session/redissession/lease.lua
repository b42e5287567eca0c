-- SPDX-License-Identifier: MIT
--
-- Prelude of the scripts that take leases, create.lua and load.lua: who may take
-- one that is free, and who waits in line.

-- mayTake reports whether a caller may take the lease, which is free or not: when
-- no one is before it. Otherwise it gets a place, or keeps it, if it has an inbox.
-- One that gave up does not come back.
local function mayTake(hash, who, inbox, free)
  local line, gone = base .. 'w' .. hash, base .. 'g' .. hash .. who
  local place = who .. inbox
  if free and redis.call('EXISTS', line, gone) == 0 then return true end
  if redis.call('EXISTS', gone) == 1 then return false end
  if inbox == '' then return free and not serve(hash) end
  local score = tonumber(redis.call('ZSCORE', line, place) or '0')
  if score <= 0 and not (free and score < -now) then
    local last = redis.call('ZRANGE', line, '-1', '-1', 'WITHSCORES')
    local after = math.max(micros, tonumber(last[2] or '0') + 1)
    if score < -now then after = 1 end -- its turn came, but the lease did not: it stays the first
    redis.call('ZADD', line, after, place)
  end
  redis.call('SET', base .. 'i' .. inbox, '', 'PX', PRESENT)
  redis.call('PEXPIRE', line, LINE)
  if not free or serve(hash) ~= place then return false end
  redis.call('ZREM', line, place)
  return true
end

-- leave gives up a place, and notes that: the call that asks for it may come
-- only now. If it had the turn, that is the next one's.
local function leave(hash, who, inbox)
  local line, place, gone = base .. 'w' .. hash, who .. inbox, base .. 'g' .. hash .. who
  redis.pcall('SET', gone, '', 'PX', LINE) -- memory may be too short for it
  local score = redis.call('ZSCORE', line, place)
  if not score then return end
  redis.call('ZREM', line, place)
  if tonumber(score) < 0 then serve(hash) end
end

-- use is what Load does to a live record: take, renew or free its lease (held:
-- renew only, else as mayTake says), then touch it when that is due, unless every is
-- nil. It returns the reply.
local function use(key, hash, raw, every, who, lasting, held, inbox)
  local ends = int(raw, LEASE_END, 6)
  local mine = who ~= NONE8 and ends > now and at(raw, LEASE, 8) == who
  if mine then unrefused() end
  if who ~= NONE8 and lasting > 0 then
    if not mine and (held or not mayTake(hash, who, inbox, ends <= now)) then
      return {'leased', '', 0, math.max(ends - now, 0)}
    end
    raw = patch(key, raw, LEASE, who .. bytes(now + lasting, 6))
  elseif mine then
    raw = patch(key, raw, LEASE, at(NONE16, 0, 14))
    serve(hash)
  end
  if not every or not due(raw, every) then return {'done', raw, 0, 0} end
  return {'done', raw, touch(key, hash, raw), 0}
end

