-- Replaces an API key: stores its successor, and sets the successor id and the expiry of the old API key.
--
-- KEYS[1] state, KEYS[2] API keys
-- ARGV[1] id of the old API key, ARGV[2] the latest time at which it expires (Unix ms)
-- ARGV[3] id of the successor, ARGV[4] the successor, JSON
-- Returns 1, even if the same call is repeated; 0 if there is no such API key or it is already revoked or replaced
local text = redis.call('HGET', KEYS[2], ARGV[1])
local key = text and cjson.decode(text)
if not key or key.revokedAt ~= cjson.null then
  return 0
end
-- API keys that earlier releases stored have no member successorId.
local successor = key.successorId
if successor and successor ~= cjson.null and successor ~= ARGV[3] then
  return 0
end
key.successorId = ARGV[3]
local expiresAt = tonumber(ARGV[2])
key.expiresAt = key.expiresAt == cjson.null and expiresAt or math.min(key.expiresAt, expiresAt)
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(key), ARGV[3], ARGV[4])
redis.call('HINCRBY', KEYS[1], 'revision', 1)
return 1
