-- Claims the visit, adds index entries and stores a new session: claim-visit.lua, update-index.lua and
-- create-session.lua in one step. Only where one server holds all keys.
--
-- KEYS[1] session
-- KEYS[2] claim of the visit, KEYS[3] fence of the attempt; without a visit the session's key for both
-- KEYS[4..] indexes
-- ARGV[1] text of the session, ARGV[2] ms until it is purged
-- ARGV[3] 'id nonce ' of the claim, '' without a visit; ARGV[4], ARGV[5] lifetimes of a claim and a fence (ms)
-- ARGV[6] to ARGV[9] as ARGV[1] to ARGV[4] of update-index.lua
-- Returns 'created', also if this session is already stored; 'id-taken' or 'claimed' (by another session) if nothing
-- was changed
local stored = redis.call('GET', KEYS[1])
if stored then
  return stored == ARGV[1] and 'created' or 'id-taken'
end
if ARGV[3] ~= '' and not claimCombined(KEYS[2], KEYS[3], ARGV[3], ARGV[4], ARGV[5]) then
  return 'claimed'
end
for i = 4, #KEYS do
  addToIndex(KEYS[i], ARGV[6], ARGV[7], ARGV[8], ARGV[9])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'created'
