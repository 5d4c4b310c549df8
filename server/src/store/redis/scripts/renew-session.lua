-- Prolongs a live session that is used now.
--
-- KEYS, ARGV as in session.lua
--
-- Answers 1, or 0 when there is no live one.
local session = find()
if not isLive(session) then
  return 0
end
use(session)
save(session)
return 1
