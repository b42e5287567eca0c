-- SPDX-License-Identifier: MIT
--
-- The end of extend.lua, behind queue.lua: a confirmation goes on with what
-- an earlier script did not come to.
--
-- KEYS  as in head.lua

again()
serve()
return reply
