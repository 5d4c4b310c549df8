-- Lets go of what is kept of a session, but for what is needed to let go of the rest elsewhere.
--
-- KEYS, ARGV[1] to ARGV[7] as in session.lua
-- ARGV[8] 1 when the rest is gone: now nothing but that the session is over is kept
-- ARGV[9] for how long (ms) at least
--
-- Answers the session, or an empty text.
local session, stored = find()
if ARGV[8] == '1' then
  session = { 0, math.min(math.max(age, 0), math.min(idle[1], total[1])), '', '', '', '', '', '' }
else
  session[EXPIRES] = math.min(session[EXPIRES], age)
end
session[STATE] = 'g'
redis.call('SET', KEYS[1], text(session), 'PX', math.max(keeping(session, false), tonumber(ARGV[9])))
redis.call('DEL', KEYS[2])
return stored or ''
