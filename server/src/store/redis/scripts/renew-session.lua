-- Renews a live session.
--
-- KEYS, ARGV as in prelude/session.lua
-- Returns 1; 0 if the session is not live
local session = load()
if not isLive(session) then
  return 0
end
renew(session)
save(session)
return 1
