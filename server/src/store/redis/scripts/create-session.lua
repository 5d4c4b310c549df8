-- Stores a new session that has claimed its visit.
--
-- KEYS[1] the session
-- KEYS[2] what is there when the attempt is barred
-- ARGV[1] the session's text
-- ARGV[2] for how long (ms) it is kept
-- ARGV[3] for how long (ms) an attempt is barred
--
-- Answers 'created', also when it is there already; 'barred'; 'id-taken', and then the attempt is barred.
local known = redis.call('GET', KEYS[1])
if known == ARGV[1] then
  return 'created'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 'barred'
end
if known then
  redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
  return 'id-taken'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'created'
