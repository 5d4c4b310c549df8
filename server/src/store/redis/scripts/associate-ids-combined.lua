-- Claims the visit, associates ids and may rotate the session's id. Does in one step what claim-visit.lua and
-- associate-ids.lua do together. Needs all keys on one server.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[11] and the last arguments as in prelude/session.lua and prelude/association.lua
-- KEYS[3] claim of the visit, KEYS[4] fence of the attempt
-- KEYS[5] record that is set aside; it is stored before the association
-- KEYS[6] data, only if the session has any; the last of KEYS: queue of notes
-- ARGV[12] 'handle nonce' of the claim
-- ARGV[13], ARGV[14] lifetimes of a claim and a fence (ms)
-- ARGV[15] to ARGV[17] for the case that nothing is stored of the session: its text with the ids, the time until it is
-- purged (ms), and its note; all '' if the rules must be applied in this case too
-- Returns one of:
-- { 'data' } if the session has data and their key was not given; nothing was changed
-- { 'first', id of the note } if nothing was stored of the session, and now the given text is
-- { 'associated', session, note or false }, even if this rotation was carried out already because the command was sent
-- twice
-- { 'conflict', 0, position of the id }
-- { 'absent', 0 }, { 'rotation-limit', 0 }
-- { 'unclaimed' } if the visit could not be claimed, because another session has claimed it or this attempt is fenced;
-- the attempt is now fenced, and nothing else was changed
local session, stored = load()
if session[DATA] then
  if #KEYS == 6 then
    return { 'data' }
  end
  dataKey = KEYS[6]
end
local outcome, detail = check(session)
if outcome == 'done' then
  return { 'associated', stored, false }
end
if outcome ~= 'possible' then
  return { outcome, 0, detail }
end
local isChange = detail > 0 or rotates or replacesTraits(session)
if not isChange and not isRenewalDue(session) then
  return { 'associated', stored, false }
end
if session[VISIT] == '' then
  if not claimCombined(KEYS[3], KEYS[4], ARGV[12], ARGV[13], ARGV[14]) then
    return { 'unclaimed' }
  end
elseif redis.call('EXISTS', KEYS[4]) == 1 then
  return { 'unclaimed' }
end
local hasNewRecord = storeSetAside(session, KEYS[5])
local text, note = associate(session, stored, detail, hasNewRecord)
return { 'associated', text, note }
