-- SPDX-License-Identifier: MIT
--
-- Purpose: one page of the live holds of a group, in the order of the index.
-- It changes nothing.
--
-- KEYS   as in head.lua
-- ARGV   1 where to begin and 2 where to end, as ZRANGEBYLEX has it
--        3 how many members to look at  4 an extent to overlap, or ""; members
--        of another kind overlap it, too
-- Reply  {now, last member looked at or "", {member, id, ms left, record}, …},
--        each hold once
-- Cost   O(log N + members looked at)

local min, max, page, wanted = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if #KEYS ~= 5 or not wanted then
  return redis.error_reply('ERR malformed query')
end

local now = clock()
local kind, from, to = string.sub(wanted, 1, 1)
if wanted ~= '' then
  from, to = extent(wanted, 1)
end
local members = redis.call('ZRANGEBYLEX', I, min, max, 'LIMIT', '0', page)
local reply, seen = { now, members[#members] or '' }, {}
for _, m in ipairs(members) do
  local at = (string.find(m, '\0', 1, true) or 0) + 1
  local overlaps = true
  if from and string.sub(m, at, at) == kind then
    local f, t = extent(m, at)
    overlaps = f < to and from < t
  end
  local id = string.sub(m, at + EXTENT)
  local score = overlaps and not seen[id] and redis.call('ZSCORE', X, id)
  if score and tonumber(score) > now then
    seen[id] = true
    table.insert(reply, { m, id, tonumber(score) - now, public(id) })
  end
end
return reply
