-- Erases a session, its records and its data, in two calls. The first call marks the session as being erased and keeps its ids,
-- because the caller needs them to find the index entries and the claim that must be removed too. The second call
-- replaces the session by a tombstone without ids.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[7] as in prelude/session.lua
-- KEYS[3] data of the session
-- ARGV[8] '1' in the second call
-- ARGV[9] minimum lifetime of the tombstone (ms)
-- Returns the stored text of the session before this call; '' if nothing was stored
local session, stored = load()
if ARGV[8] == '1' then
  session = complete({ 0, math.min(math.max(age, 0), math.min(idle[1], total[1])) })
else
  session[EXPIRES] = math.min(session[EXPIRES], age)
end
session[STATE] = 'g'
redis.call('SET', KEYS[1], encode(session), 'PX', math.max(timeToPurge(session, false), tonumber(ARGV[9])))
redis.call('DEL', KEYS[2], KEYS[3])
return stored or ''
