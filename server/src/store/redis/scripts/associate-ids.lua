-- Associates ids with a session. If a visit is among the new ids, the caller has claimed it before.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[8] and the ids as in prelude/session.lua and prelude/association.lua
-- KEYS[3] fence of the attempt
-- ARGV[9] nonce of the claim; '' if no visit was claimed
-- ARGV[10] lifetime of a fence (ms)
-- ARGV[11] '1' if the caller has added the index entries and claimed the visit
-- Returns one of:
-- { 'associated', session }
-- { 'conflict', hasVisit, position of the id }; the position counts from 0
-- { 'absent', hasVisit }
-- { 'unprepared', session or false } if ids must be added but ARGV[11] is not '1'
-- { 'fenced' } if the visit must be added but the attempt is fenced
-- hasVisit is 1 if the session already has the given visit. If it is 0, 'conflict' and 'absent' also fence the attempt.
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
