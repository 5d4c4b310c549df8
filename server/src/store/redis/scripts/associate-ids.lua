-- Associates ids with a session, and may rotate its id. If a visit is among the new ids, the caller has claimed it
-- before.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[10] and the last arguments as in prelude/session.lua and prelude/association.lua
-- KEYS[3] fence of the attempt
-- KEYS[4] record that is set aside; it is stored before the association
-- ARGV[11] nonce of the claim; '' if no visit was claimed
-- ARGV[12] lifetime of a fence (ms)
-- ARGV[13] '1' if the caller has added the index entries and claimed the visit
-- Returns one of:
-- { 'associated', session }, even if this rotation was carried out already because the command was sent twice
-- { 'conflict', hasVisit, position of the id }; the position counts from 0
-- { 'absent', hasVisit }, { 'rotation-limit', hasVisit }
-- { 'unprepared', session or false } if there is something to change but ARGV[13] is not '1'
-- { 'fenced' } if the attempt is fenced
-- hasVisit is 1 if the session already has the given visit. If it is 0, a refusal also fences the attempt.
local session, stored = load()
local outcome, detail = check(session)
if outcome == 'done' then
  return { 'associated', stored }
end
if outcome ~= 'possible' then
  local hasVisit = session[VISIT] == given[VISIT]
  if ARGV[11] ~= '' and not hasVisit then
    redis.call('SET', KEYS[3], '', 'PX', ARGV[12])
  end
  return { outcome, hasVisit and 1 or 0, detail }
end
local isChange = detail > 0 or rotates or replacesTraits(session)
if not isChange and not isRenewalDue(session) then
  return { 'associated', stored }
end
if isChange and ARGV[13] ~= '1' then
  return { 'unprepared', stored }
end
if ARGV[11] ~= '' and redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'fenced' }
end
storeSetAside(session, KEYS[4])
return { 'associated', associate(session, detail) }
