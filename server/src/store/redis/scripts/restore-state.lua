-- Restores the state or the secrets after Redis has evicted one of these two keys. The other key proves that the rest
-- of the data still exists.
--
-- Does not change the revision if it is the one that the caller knows. Then no process has to read API keys and secrets
-- again, and a process that misses API keys knows that Redis evicted them.
--
-- The state says which losses are repaired. Without it nobody knows, so the indexes are repaired again after the last loss.
--
-- KEYS[1] state, KEYS[2] secrets, KEYS[3] losses
-- ARGV[1] layout
-- ARGV[2], ARGV[3] revision and clock high-water mark that the caller saw last
-- ARGV[4..] secrets, newest first
-- Returns 1; 0 if both keys are gone, or if the secrets are those of another store
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
  local lost = 0
  for _, loss in ipairs(redis.call('HVALS', KEYS[3])) do
    lost = math.max(lost, tonumber(string.match(loss, '^%d+')))
  end
  if lost > 0 then
    redis.call('HSET', KEYS[1], 'lost', string.format('%.0f', lost))
  end
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
