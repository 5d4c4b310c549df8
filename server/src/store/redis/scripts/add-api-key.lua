-- Stores an API key. Overwrites a stored API key with the same id, unless that one is revoked.
--
-- KEYS[1] state, KEYS[2] API keys
-- ARGV[1] id of the API key, ARGV[2] the API key, JSON
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known or cjson.decode(known).revokedAt == cjson.null then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'revision', 1)
end
