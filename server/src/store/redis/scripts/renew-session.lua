-- Renews a live session.
--
-- KEYS[1], KEYS[2], ARGV as in prelude/session.lua
-- KEYS[3] data of the session, KEYS[4] queue of notes
-- Returns 1; 0 if the session is not live; or the note, if nothing was stored of the session before
local session, stored = load()
if not isLive(session) then
  return 0
end
renew(session)
dataKey = KEYS[3]
save(session)
return stored and 1 or writeNote(session, CREATED_BIT, '')
