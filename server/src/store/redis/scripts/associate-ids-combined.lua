-- Claims the visit, adds index entries and associates ids: claim-visit.lua, update-index.lua and associate-ids.lua in
-- one step. Only where one server holds all keys.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[8] and the ids as in prelude/session.lua and prelude/association.lua
-- KEYS[3] claim of the visit, KEYS[4] fence of the attempt; without a visit the session's key for both
-- KEYS[5] index of all sessions (one shard), KEYS[6..] indexes of the given ids, in their order
-- ARGV[9] 'id nonce ' of the claim, '' without a visit; ARGV[10], ARGV[11] lifetimes of a claim and a fence (ms)
-- ARGV[12] to ARGV[15] as ARGV[1] to ARGV[4] of update-index.lua
-- Returns as associate-ids.lua does, with hasVisit 0; { 'unprepared', session or false } if another session has
-- claimed the visit, and nothing was changed
local session, stored = load()
local outcome, detail = check(session)
if outcome ~= 'possible' then
  return { outcome, 0, detail }
end
if detail == 0 and not isRenewalDue(session) then
  return { 'associated', stored }
end
local addsVisit = given[VISIT] ~= '' and session[VISIT] == ''
if addsVisit and not claimCombined(KEYS[3], KEYS[4], ARGV[9], ARGV[10], ARGV[11]) then
  return { 'unprepared', stored }
end
if not stored then
  addToIndex(KEYS[5], ARGV[12], ARGV[13], ARGV[14], ARGV[15])
end
local index = 6
for i, line in ipairs(ID_LINES) do
  if given[line] ~= '' then
    if hasBit(detail, ID_BITS[i]) then
      addToIndex(KEYS[index], ARGV[12], ARGV[13], ARGV[14], ARGV[15])
    end
    index = index + 1
  end
end
return { 'associated', associate(session, detail) }
