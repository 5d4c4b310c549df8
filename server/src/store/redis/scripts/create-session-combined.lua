-- Claims the visit, adds index entries and stores a new session. Does in one step what claim-visit.lua,
-- update-index.lua and create-session.lua do together. Needs all keys on one server.
--
-- KEYS[1] session
-- KEYS[2] claim of the visit, KEYS[3] fence of the attempt; if the session has no visit, both are the session's key
-- KEYS[4..] indexes
-- ARGV[1] text of the session, ARGV[2] time until it is purged (ms)
-- ARGV[3] 'handle nonce' of the claim; '' if the session has no visit
-- ARGV[4], ARGV[5] lifetimes of a claim and a fence (ms)
-- ARGV[6], ARGV[7] bound and lifetime of an index, as ARGV[1] and ARGV[2] of update-index.lua
-- ARGV[8], ARGV[9] 0 and the index entry of the session
-- Returns one of:
-- 'created', even if this session is already stored because the command was sent twice
-- 'id-taken' if another session is stored under the id; nothing was changed
-- 'claimed' if another session has claimed the visit or this attempt is fenced; the attempt is now fenced, and nothing
-- else was changed
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
