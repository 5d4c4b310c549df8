-- Ends a live session for good.
--
-- KEYS, ARGV[1] to ARGV[7] as in session.lua
-- ARGV[8] who ends it: the same one is told the same again
-- ARGV[9] scope, as in session.lua
--
-- Answers { 1, visit } or { 0 } when there is no live one in the scope; the visit is empty where it had none.
local session = find()
if session[STATE] ~= 'e' .. ARGV[8] then
  if not isLive(session) or not isWithin(session, ARGV[9]) then
    return { 0 }
  end
  session[STATE] = 'e' .. ARGV[8]
  session[EXPIRES] = math.min(session[EXPIRES], age)
  save(session)
end
return { 1, session[VISIT] }
