-- Stores a new session whose visit is claimed.
--
-- KEYS[1] session, KEYS[2] fence of the attempt
-- ARGV[1] text of the session, ARGV[2] ms until it is purged
-- ARGV[3] lifetime of a fence (ms)
-- Returns 'created', also if this session is already stored; 'fenced'; or 'id-taken', and fences the attempt
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
