-- SPDX-License-Identifier: MIT
--
-- Comes first in every script: the server's clock, and the times in a record's
-- header (header.go has the table). What is here and in the parts that follow is made
-- anew in every run, so a load that needs none of those ends before them.

local byte, floor = string.byte, math.floor
local HEADER = 156 -- bytes before the payload, of the newest version, which is the one written
local IDLE, LAST, ENDS = 36, 42, 48

local time = redis.call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)

-- ms reads a time or a duration at an offset counted from 0.
local function ms(s, from)
  local a, b, c, d, e, f = byte(s, from + 1, from + 6)
  return ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end

local function deadline(head) return ms(head, ENDS) end

-- due reports whether activity has to be recorded: the last is so many ms ago, or
-- half of the idle timeout if that is less.
local function due(head, every)
  local idle = ms(head, IDLE)
  if idle > 0 and idle / 2 < every then every = idle / 2 end
  return now - ms(head, LAST) >= every
end

