-- Associates ids with a session, whose visit the attempt has claimed.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[8] and the ids as in prelude/session.lua and prelude/association.lua
-- KEYS[3] fence of the attempt
-- ARGV[9] nonce of the claim; '' without one
-- ARGV[10] lifetime of a fence (ms)
-- ARGV[11] '1' if the index entries are added and the visit is claimed
-- Returns { 'associated', session }; { 'conflict', hasVisit, position of the id }; { 'absent', hasVisit };
-- { 'unprepared', session or false } if ids would be added without ARGV[11]; { 'fenced' }.
-- A refusal fences the attempt, unless the session has the visit (hasVisit 1).
local session, stored = load()
local outcome, detail = check(session)
if outcome ~= 'possible' then
  local hasVisit = session[VISIT] == given[VISIT]
  if ARGV[9] ~= '' and not hasVisit then
    redis.call('SET', KEYS[3], '', 'PX', ARGV[10])
  end
  return { outcome, hasVisit and 1 or 0, detail }
end
if detail == 0 and not isRenewalDue(session) then
  return { 'associated', stored }
end
if detail > 0 and ARGV[11] ~= '1' then
  return { 'unprepared', stored }
end
if given[VISIT] ~= '' and session[VISIT] == '' and redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'fenced' }
end
return { 'associated', associate(session, detail) }
