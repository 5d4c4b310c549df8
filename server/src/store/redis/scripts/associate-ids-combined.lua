-- Claims the visit, adds index entries and associates ids: claim-visit.lua, update-index.lua and associate-ids.lua in
-- one step. Only where one server holds all keys.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[12] as in prelude/session.lua and prelude/association.lua
-- KEYS[3] claim of the visit, KEYS[4] fence of the attempt; without a visit the session's key for both
-- KEYS[5] index of all sessions (one shard), KEYS[6..] indexes of the given ids, in the order of ARGV[9] to ARGV[12]
-- ARGV[13] 'id nonce ' of the claim, '' without a visit; ARGV[14], ARGV[15] lifetimes of a claim and a fence (ms)
-- ARGV[16] to ARGV[19] as ARGV[1] to ARGV[4] of update-index.lua
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
if hasBit(detail, VISIT - AGENT) and not claimCombined(KEYS[3], KEYS[4], ARGV[13], ARGV[14], ARGV[15]) then
  return { 'unprepared', stored }
end
if not stored then
  addToIndex(KEYS[5], ARGV[16], ARGV[17], ARGV[18], ARGV[19])
end
local index = 6
for i = 0, 3 do
  if ARGV[9 + i] ~= '' then
    if hasBit(detail, i) then
      addToIndex(KEYS[index], ARGV[16], ARGV[17], ARGV[18], ARGV[19])
    end
    index = index + 1
  end
end
return { 'associated', associate(session, detail) }
