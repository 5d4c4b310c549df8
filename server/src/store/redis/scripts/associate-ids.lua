-- Associates ids with a session, whose visit the attempt has claimed.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[12] as in prelude/session.lua and prelude/association.lua
-- KEYS[3] fence of the attempt
-- ARGV[13] nonce of the claim; '' without one
-- ARGV[14] lifetime of a fence (ms)
-- ARGV[15] '1' if the index entries are added and the visit is claimed
-- Returns { 'associated', session }; { 'conflict', hasVisit, position of the id }; { 'absent', hasVisit };
-- { 'unprepared', session or false } if ids would be added without ARGV[15]; { 'fenced' }.
-- A refusal fences the attempt, unless the session has the visit (hasVisit 1).
local session, stored = load()
local outcome, detail = check(session)
if outcome ~= 'possible' then
  local hasVisit = session[VISIT] == ARGV[11]
  if ARGV[13] ~= '' and not hasVisit then
    redis.call('SET', KEYS[3], '', 'PX', ARGV[14])
  end
  return { outcome, hasVisit and 1 or 0, detail }
end
if detail == 0 and not isRenewalDue(session) then
  return { 'associated', stored }
end
if detail > 0 and ARGV[15] ~= '1' then
  return { 'unprepared', stored }
end
if ARGV[11] ~= '' and session[VISIT] == '' and redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'fenced' }
end
return { 'associated', associate(session, detail) }
