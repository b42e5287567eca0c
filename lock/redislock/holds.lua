-- SPDX-License-Identifier: MIT
--
-- Purpose: one page of the live holds of a group. It changes nothing.
--
-- KEYS   as in head.lua
-- ARGV   1 where to begin: a cursor for the keys, in no order, or for all else
--        a bound as ZRANGEBYLEX has it, in the order of the index
--        2 where to end, likewise  3 how many members to look at  4 an extent
--        to overlap, or ""; members of another kind overlap it, too  5 a name
--        whose key is to be added, or ""
-- Reply  {now, next cursor or last member looked at or "" when there are no
--        more, {member, id, ms left, record}, …}
-- Cost   O(log N + members looked at)

local min, max, page, wanted, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if #KEYS ~= 5 or not name then
  return redis.error_reply('ERR malformed query')
end

local reply = { now, '' }

local function add(m, handle)
  local ends = tonumber(redis.call('ZSCORE', X, handle) or nil)
  if ends and ends > now then table.insert(reply, { m, unpack(shown(handle, ends)) }) end
end

if tonumber(min) then
  local found = redis.call('HSCAN', L, min, 'MATCH', '=*', 'COUNT', page)
  reply[2] = found[1]
  for k = 1, #found[2], 2 do
    add(string.sub(found[2][k], 2) .. '\0' .. WHOLE, found[2][k])
  end
  return reply
end

if name ~= '' then add(name .. '\0' .. WHOLE, slot(name)) end
local kind, from, to = string.sub(wanted, 1, 1)
if wanted ~= '' then
  from, to = extent(wanted, 1)
end
local members = redis.call('ZRANGEBYLEX', I, min, max, 'LIMIT', '0', page)
if #members == tonumber(page) then reply[2] = members[#members] end -- else these were the last
for _, m in ipairs(members) do
  local at = (string.find(m, '\0', 1, true) or 0) + 1
  local overlaps = true
  if from and string.sub(m, at, at) == kind then
    local f, t = extent(m, at)
    overlaps = f < to and from < t
  end
  if overlaps then add(m, string.sub(m, at + EXTENT)) end
end
return reply
