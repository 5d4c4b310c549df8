-- Claims the visit, adds index entries, associates ids and may rotate the session's id. Does in one step what
-- claim-visit.lua, update-index.lua and associate-ids.lua do together. Needs all keys on one server.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[10] and the last arguments as in prelude/session.lua and prelude/association.lua
-- KEYS[3] claim of the visit, KEYS[4] fence of the attempt; if no visit is given, both are the session's key
-- KEYS[5] index of all sessions (one shard), then the indexes of the given ids, in the order of the ids
-- KEYS[#KEYS] record that is set aside; it is stored before the association
-- ARGV[11] 'handle nonce' of the claim; '' if no visit is given
-- ARGV[12], ARGV[13] lifetimes of a claim and a fence (ms)
-- ARGV[14] to ARGV[17] as ARGV[1] to ARGV[4] of update-index.lua
-- Returns one of:
-- { 'associated', session }, even if this rotation was carried out already because the command was sent twice
-- { 'conflict', 0, position of the id }
-- { 'absent', 0 }, { 'rotation-limit', 0 }
-- { 'unprepared', session or false } if the visit could not be claimed, because another session has claimed it or this
-- attempt is fenced; the attempt is now fenced, and nothing else was changed
local session, stored = load()
local outcome, detail = check(session)
if outcome == 'done' then
  return { 'associated', stored }
end
if outcome ~= 'possible' then
  return { outcome, 0, detail }
end
local isChange = detail > 0 or rotates or replacesTraits(session)
if not isChange and not isRenewalDue(session) then
  return { 'associated', stored }
end
local isFenced = given[VISIT] ~= '' and redis.call('EXISTS', KEYS[4]) == 1
local addsVisit = given[VISIT] ~= '' and session[VISIT] == ''
if isFenced or addsVisit and not claimCombined(KEYS[3], KEYS[4], ARGV[11], ARGV[12], ARGV[13]) then
  return { 'unprepared', stored }
end
if not stored then
  addToIndex(KEYS[5], ARGV[14], ARGV[15], ARGV[16], ARGV[17])
end
local index = 6
for i, line in ipairs(ID_LINES) do
  if given[line] ~= '' then
    if hasBit(detail, ID_BITS[i]) then
      addToIndex(KEYS[index], ARGV[14], ARGV[15], ARGV[16], ARGV[17])
    end
    index = index + 1
  end
end
storeSetAside(session, KEYS[#KEYS])
return { 'associated', associate(session, detail) }
