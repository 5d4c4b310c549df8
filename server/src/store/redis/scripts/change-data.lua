-- Changes the data of a session, if nobody has changed them since the caller read them. May renew the session.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[7] as in prelude/session.lua
-- KEYS[3] data of the session
-- KEYS[4] record that is set aside; it is stored too
-- KEYS[5] queue of notes
-- ARGV[8] scope, as for isWithin in prelude/session.lua
-- ARGV[9] generation that the session must have; '' for any
-- ARGV[10] version of the data that the caller has read; '' if there were none
-- ARGV[11] version of the new data, ARGV[12] the new data; they begin with their version
-- ARGV[13] text of the session that the caller has read, if only the data change with this text; ARGV[14] the time until it
-- expires (ms)
-- Returns one of:
-- { 'changed', session, note or false }, even if the command was sent twice
-- { 'conflict', session or false, data or false } if the data have another version
-- { 'absent' } if the session is not live, not in the scope, or has another generation
local session, stored = load()
local isMeant = ARGV[9] == '' or generationOf(session) == tonumber(ARGV[9])
if not isLive(session) or not isWithin(session, ARGV[8]) or not isMeant then
  return { 'absent' }
end
local current = redis.call('GET', KEYS[3])
local version = string.sub(current or '', 1, #ARGV[11])
if version == ARGV[11] then
  return { 'changed', stored, false }
end
if version ~= ARGV[10] then
  return { 'conflict', stored, current }
end
local isPublished = session[DATA] or hasIds(session) or redis.call('EXISTS', KEYS[2]) == 1
storeSetAside(session, KEYS[4])
for line = LAST_LINE + 1, DATA - 1 do
  session[line] = session[line] or ''
end
session[DATA] = '1'
if not stored or isRenewalDue(session) then
  renew(session)
end
redis.call('SET', KEYS[3], ARGV[12], 'PX', math.max(1, session[EXPIRES] - age))
local text = save(session)
local bits = (stored and 0 or CREATED_BIT) + (publishes and not isPublished and PUBLISHED_BIT or 0)
return { 'changed', text, bits > 0 and writeNote(session, bits, '') }
