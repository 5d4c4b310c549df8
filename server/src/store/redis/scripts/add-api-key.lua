-- Stores a key for the mode `key`; one that is known is at most revoked by it.
--
-- KEYS[1] the state
-- KEYS[2] the keys
-- ARGV[1] the key's id
-- ARGV[2] the key, JSON
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known or cjson.decode(known).revokedAt == cjson.null then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'revision', 1)
end
