-- Restores the state or the secrets after Redis has evicted them, if the other one shows that the data still exist.
--
-- KEYS[1] the state
-- KEYS[2] the secrets
-- ARGV[1] the layout
-- ARGV[2] the revision and ARGV[3] the floor, as last seen
-- ARGV[4] and following: the secrets, newest first
--
-- The revision does not change if these are its secrets: no process has to read anything again, and API keys that
-- were evicted as well can be distinguished from changed ones.
--
-- Returns 1; 0 if both are gone, or if these are the secrets of another store.
local last = redis.call('LINDEX', KEYS[2], -1)
local hasLayout = redis.call('HEXISTS', KEYS[1], 'layout') == 1
if last and last ~= ARGV[#ARGV] or not last and not hasLayout then
  return 0
end
if not last then
  redis.call('RPUSH', KEYS[2], unpack(ARGV, 4))
end
if not hasLayout then
  redis.call('HSET', KEYS[1], 'layout', ARGV[1])
end
local revision, floor = unpack(redis.call('HMGET', KEYS[1], 'revision', 'floor'))
local known = tonumber(ARGV[2])
revision = tonumber(revision or known)
if revision ~= known then
  revision = math.max(revision, known) + 1
end
floor = math.max(tonumber(floor or 0), tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'revision', string.format('%.0f', revision), 'floor', string.format('%.0f', floor))
return 1
