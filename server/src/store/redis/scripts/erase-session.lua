-- Erases a session and its records, in two calls: the first keeps the ids, which name the index entries and the claim
-- to remove; the second leaves only a tombstone.
--
-- KEYS, ARGV[1] to ARGV[7] as in prelude/session.lua
-- ARGV[8] '1' in the second call
-- ARGV[9] minimum lifetime of the tombstone (ms)
-- Returns the stored text of the session, or ''
local session, stored = load()
if ARGV[8] == '1' then
  session = complete({ 0, math.min(math.max(age, 0), math.min(idle[1], total[1])) })
else
  session[EXPIRES] = math.min(session[EXPIRES], age)
end
session[STATE] = 'g'
redis.call('SET', KEYS[1], encode(session), 'PX', math.max(timeToPurge(session, false), tonumber(ARGV[9])))
redis.call('DEL', KEYS[2])
return stored or ''
