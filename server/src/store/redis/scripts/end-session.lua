-- Ends a live session. If the command is sent again with the same nonce, returns the same result.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[7] as in prelude/session.lua
-- KEYS[3] record that is set aside; it is stored before the session ends
-- KEYS[4] data of the session, KEYS[5] queue of notes
-- ARGV[8] nonce of the request
-- ARGV[9] scope, as for isWithin in prelude/session.lua
-- ARGV[10] generation that the session must have; '' for any
-- ARGV[11] number of the reason; only if events are published
-- Returns { 1, visit or '', note or false }; { 0 } if the session is not live, not in the scope, or has another
-- generation
local session, stored = load()
local note = false
if session[STATE] ~= 'e' .. ARGV[8] then
  local isMeant = ARGV[10] == '' or generationOf(session) == tonumber(ARGV[10])
  if not isLive(session) or not isWithin(session, ARGV[9]) or not isMeant then
    return { 0 }
  end
  local hadRecords = not publishes or redis.call('EXISTS', KEYS[2]) == 1
  local bits = publishes and ENDED_BIT or 0
  if storeSetAside(session, KEYS[3]) then
    local isPublished = not hadRecords and not hasIds(session) and not session[DATA]
    bits = bits + (stored and 0 or CREATED_BIT) + (isPublished and PUBLISHED_BIT or 0)
  elseif not hadRecords and not hasIds(session) and not session[DATA] then
    bits = bits + UNPUBLISHED_BIT
  end
  if bits > 0 then
    note = writeNote(session, bits, '', ARGV[11])
  end
  session[STATE] = 'e' .. ARGV[8]
  session[EXPIRES] = math.min(session[EXPIRES], age)
  save(session)
  if session[DATA] then
    redis.call('DEL', KEYS[4])
  end
end
return { 1, session[VISIT], note }
