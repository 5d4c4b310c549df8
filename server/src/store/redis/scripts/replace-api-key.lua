-- Stores the successor of an API key, and sets the key's successor and expiry.
--
-- KEYS[1] state, KEYS[2] API keys
-- ARGV[1] id of the key, ARGV[2] its latest expiry (Unix ms)
-- ARGV[3] id of the successor, ARGV[4] the successor, JSON
-- Returns 1, also to the same call again; 0 if there is no such key or it is already revoked or replaced
local text = redis.call('HGET', KEYS[2], ARGV[1])
local key = text and cjson.decode(text)
if not key or key.revokedAt ~= cjson.null then
  return 0
end
-- Keys from earlier releases have no such member.
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
