-- Notes the time, which also proves that the store takes writes.
--
-- KEYS[1] the state
-- ARGV[1] now, ms since 1970
--
-- Answers { revision of keys and secrets, floor }.
local floor = math.max(tonumber(redis.call('HGET', KEYS[1], 'floor') or 0), tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'floor', floor)
return { redis.call('HGET', KEYS[1], 'revision') or '0', tostring(floor) }
