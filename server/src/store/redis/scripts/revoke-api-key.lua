-- Revokes an API key.
--
-- KEYS[1] state, KEYS[2] API keys
-- ARGV[1] id of the API key, ARGV[2] now (Unix ms)
-- Returns 1, even if the same call is repeated; 0 if there is no such API key or it is already revoked
local text = redis.call('HGET', KEYS[2], ARGV[1])
local key = text and cjson.decode(text)
if not key then
  return 0
end
if key.revokedAt ~= cjson.null then
  return key.revokedAt == tonumber(ARGV[2]) and 1 or 0
end
key.revokedAt = tonumber(ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(key))
redis.call('HINCRBY', KEYS[1], 'revision', 1)
return 1
