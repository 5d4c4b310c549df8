-- Restores the state or the secrets after Redis has evicted one of them. The other one proves that the data still
-- exist. Leaves a matching revision as it is: no process has to read anything again, and evicted API keys can be
-- distinguished from changed ones.
--
-- KEYS[1] state, KEYS[2] secrets
-- ARGV[1] layout
-- ARGV[2] revision, ARGV[3] clock high-water mark, as last seen
-- ARGV[4..] secrets, newest first
-- Returns 1; 0 if both are gone, or if the secrets are those of another store
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
local revision, mark = unpack(redis.call('HMGET', KEYS[1], 'revision', 'floor'))
local known = tonumber(ARGV[2])
revision = tonumber(revision or known)
if revision ~= known then
  revision = math.max(revision, known) + 1
end
mark = math.max(tonumber(mark or 0), tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'revision', string.format('%.0f', revision), 'floor', string.format('%.0f', mark))
return 1
