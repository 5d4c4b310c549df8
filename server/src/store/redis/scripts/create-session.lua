-- Stores a new session for which the caller has claimed a visit.
--
-- KEYS[1] session, KEYS[2] fence of the attempt
-- ARGV[1] text of the session, ARGV[2] time until it is purged (ms)
-- ARGV[3] lifetime of a fence (ms)
-- Returns one of:
-- 'created', even if this session is already stored because the command was sent twice
-- 'fenced' if the attempt is fenced
-- 'id-taken' if another session is stored under the id; the attempt is now fenced
local stored = redis.call('GET', KEYS[1])
if stored == ARGV[1] then
  return 'created'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 'fenced'
end
if stored then
  redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
  return 'id-taken'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'created'
