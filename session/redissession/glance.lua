-- SPDX-License-Identifier: MIT
--
-- Comes first in load: a load that changes nothing, as most do, is answered
-- here, and all others by what follows. The functions of the prelude are made
-- anew in every run, which takes longer than all of this.
--
-- KEYS   2 record d, as load has it
-- ARGV   2 touch, 3 every ms, 4 bare, 7 lease, as load has them
-- Reply  the record
-- Cost   O(1) and the payload

if not ARGV[7] and ARGV[4] == '0' then
  local raw = redis.pcall('GET', KEYS[2])
  if type(raw) == 'string' and #raw >= 156 and string.sub(raw, 1, 5) == 'hfs' .. string.char(1, 0) then
    local a, b, c, d, e, f, g, h, i, j, k, l = string.byte(raw, 43, 54) -- last activity, and when it lapses
    local m, n, o, p, q, r = string.byte(raw, 37, 42) -- idle timeout
    local idle = ((((m * 256 + n) * 256 + o) * 256 + p) * 256 + q) * 256 + r
    local last = ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
    local ends = ((((g * 256 + h) * 256 + i) * 256 + j) * 256 + k) * 256 + l
    local time = redis.call('TIME')
    local now = time[1] * 1000 + time[2] / 1000
    local every = tonumber(ARGV[3])
    if idle > 0 and idle / 2 < every then every = idle / 2 end
    if ends > now and (ARGV[2] == '0' or now - last < every) then return raw end
  end
end

