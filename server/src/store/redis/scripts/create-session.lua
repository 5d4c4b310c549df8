-- Stores a new session with a visit, which the caller has claimed before.
--
-- KEYS[1] session, KEYS[2] fence of the attempt, KEYS[3] queue of notes
-- ARGV[1] text of the session, ARGV[2] time until it is purged (ms)
-- ARGV[3] lifetime of a fence (ms)
-- ARGV[4] note
-- Returns one of:
-- the id of the note
-- 'created' if this session is already stored, because the command was sent twice
-- 'fenced' if the attempt is fenced
-- 'id-taken' if another session is stored under the id; the attempt is now fenced
if redis.call('EXISTS', KEYS[2]) == 1 then
  return redis.call('GET', KEYS[1]) == ARGV[1] and 'created' or 'fenced'
end
local stored = redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX', 'GET')
if not stored then
  return redis.call('XADD', KEYS[3], '*', '', ARGV[4])
end
if stored == ARGV[1] then
  return 'created'
end
redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
return 'id-taken'
