-- Associates ids with a session, and may rotate its id. If a visit is given, the caller has claimed it before.
--
-- KEYS[1], KEYS[2] as in prelude/session.lua
-- KEYS[3] fence of the attempt
-- KEYS[4] record that is set aside; it is stored before the association
-- KEYS[5] data, only if the session has any; the last of KEYS: queue of notes
-- ARGV[1] nonce of the claim; '' if no visit was claimed
-- ARGV[2] lifetime of a fence (ms)
-- ARGV[3] to ARGV[5] for the case that nothing is stored of the session: its text with the ids, the time until it is
-- purged (ms), and its note; all '' if the rules must be applied in this case too
-- ARGV[6] lines with ARGV[1] to ARGV[11] and the last arguments of prelude/session.lua and prelude/association.lua
-- Returns one of:
-- { 'data' } if the session has data and their key was not given; nothing was changed
-- { 'first', id of the note } if nothing was stored of the session, and now the given text is
-- { 'associated', session, note or false }, even if this rotation was carried out already because the command was sent
-- twice
-- { 'conflict', hasVisit, position of the id }; the position counts from 0
-- { 'absent', hasVisit }, { 'rotation-limit', hasVisit }
-- { 'unclaimed' } if the visit would have to be added, but was not claimed
-- { 'fenced' } if the attempt is fenced
-- hasVisit is 1 if the session already has the given visit. If it is 0, a refusal also fences the attempt.
local session, stored = load()
if session[DATA] then
  if #KEYS == 5 then
    return { 'data' }
  end
  dataKey = KEYS[5]
end
local outcome, detail = check(session)
if outcome == 'done' then
  return { 'associated', stored, false }
end
if outcome ~= 'possible' then
  local hasVisit = session[VISIT] == given[VISIT]
  if nonce ~= '' and not hasVisit then
    redis.call('SET', KEYS[3], '', 'PX', fenceLife)
  end
  return { outcome, hasVisit and 1 or 0, detail }
end
local isChange = detail > 0 or rotates or replacesTraits(session)
if not isChange and not isRenewalDue(session) then
  return { 'associated', stored, false }
end
if given[VISIT] ~= '' and session[VISIT] == '' and nonce == '' then
  return { 'unclaimed' }
end
if nonce ~= '' and redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'fenced' }
end
local hasNewRecord = storeSetAside(session, KEYS[4])
local text, note = associate(session, stored, detail, hasNewRecord)
return { 'associated', text, note }
