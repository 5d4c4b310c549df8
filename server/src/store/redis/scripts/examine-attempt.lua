-- Returns the state of another session's attempt to get a visit. Makes sure that the states 'over' and 'fenced' are
-- final: marks an expired session, so that it cannot be renewed, and may fence an attempt that is in progress.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[7] as in prelude/session.lua, for the session of the attempt
-- KEYS[3] fence of the attempt
-- ARGV[8] visit
-- ARGV[9] '1' to fence the attempt if it is in progress
-- ARGV[10] lifetime of a fence (ms)
-- Returns 'holds', 'over', 'fenced' or 'in-progress' (sessions/visit-claim.ts)
local session, stored = load()
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
  return 'fenced'
end
if ARGV[9] ~= '1' then
  return 'in-progress'
end
redis.call('SET', KEYS[3], '', 'PX', ARGV[10])
return 'fenced'
