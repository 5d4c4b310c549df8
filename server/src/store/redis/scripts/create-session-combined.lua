-- Claims the visit and stores a new session. Does in one step what claim-visit.lua and create-session.lua do together.
-- Needs all keys on one server.
--
-- KEYS[1] session
-- KEYS[2] claim of the visit, KEYS[3] fence of the attempt
-- KEYS[4] queue of notes
-- ARGV[1] text of the session, ARGV[2] time until it is purged (ms)
-- ARGV[3] 'handle nonce' of the claim
-- ARGV[4], ARGV[5] lifetimes of a claim and a fence (ms)
-- ARGV[6] note
-- Returns one of:
-- the id of the note
-- 'created' if this session is already stored, because the command was sent twice
-- 'id-taken' if another session is stored under the id; nothing was changed
-- 'claimed' if another session has claimed the visit or this attempt is fenced; the attempt is now fenced, and nothing
-- else was changed
local isClaimed, isNew = claimCombined(KEYS[2], KEYS[3], ARGV[3], ARGV[4], ARGV[5])
if not isClaimed then
  return redis.call('GET', KEYS[1]) == ARGV[1] and 'created' or 'claimed'
end
local stored = redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX', 'GET')
if not stored then
  return redis.call('XADD', KEYS[4], '*', '', ARGV[6])
end
if stored == ARGV[1] then
  return 'created'
end
if isNew then
  redis.call('DEL', KEYS[2])
end
return 'id-taken'
