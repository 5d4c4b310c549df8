-- The body of associateByRules in store-sessions.lua: claims the visit if one is given, associates ids and may rotate the
-- session's id. Does in one step what claim-visit.lua and associate-ids.lua do together. Needs
-- prelude/claim-combined.lua before it.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[11] and the last arguments as in prelude/session.lua and prelude/association.lua
-- KEYS[3] claim of the visit
-- KEYS[4] record that is set aside; it is stored before the association
-- KEYS[5] data, only if the session has any; the last of KEYS: queue of notes
-- Returns one of:
-- { 'data' } if the session has data and their key was not given; nothing was changed
-- { 'associated', session, note or false }, even if this rotation was carried out already because the command was sent
-- twice
-- { 'conflict', 0, position of the id }
-- { 'absent', 0 }, { 'rotation-limit', 0 }
-- { 'unclaimed' } if another session has claimed the visit or this attempt is fenced; nothing was changed
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
  return { outcome, 0, detail }
end
local isChange = detail > 0 or rotates or replacesTraits(session)
if not isChange and not isRenewalDue(session) then
  return { 'associated', stored, false }
end
local needsClaim = given[VISIT] ~= '' and session[VISIT] == ''
if isFenced or (needsClaim and not claim(KEYS[3], string.sub(KEYS[1], -24))) then
  return { 'unclaimed' }
end
local hasNewRecord = storeSetAside(session, KEYS[4])
local text, note = associate(session, stored, detail, hasNewRecord)
return { 'associated', text, note }
