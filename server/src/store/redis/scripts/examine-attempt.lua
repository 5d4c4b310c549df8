-- Tells what became of an attempt to get a visit, and sees to it that this stays so.
--
-- KEYS, ARGV[1] to ARGV[7] as in session.lua, of the session that made the attempt
-- KEYS[3] what is there when the attempt is barred
-- ARGV[8] the visit
-- ARGV[9] 1 when an attempt that is under way may be barred
-- ARGV[10] for how long (ms)
--
-- Answers 'holds', 'over', 'barred' or 'under-way' (visit-claim.ts).
local session, stored = find()
if stored then
  if isLive(session) then
    if session[VISIT] == ARGV[8] then
      return 'holds'
    end
    if session[VISIT] ~= '' then
      return 'over'
    end
  else
    if session[STATE] == '' then
      session[STATE] = 'x'
      save(session)
    end
    return 'over'
  end
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 'barred'
end
if ARGV[9] ~= '1' then
  return 'under-way'
end
redis.call('SET', KEYS[3], '', 'PX', ARGV[10])
return 'barred'
