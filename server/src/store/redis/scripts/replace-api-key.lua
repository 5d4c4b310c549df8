-- Stores the successor of a key; the key then has the successor's id and expires.
--
-- KEYS[1] the state
-- KEYS[2] the keys
-- ARGV[1] the key's id
-- ARGV[2] when it expires at the latest, ms since 1970
-- ARGV[3] the successor's id
-- ARGV[4] the successor, JSON
--
-- Returns 1, also to the same call again; 0 if there is no such key or it was already revoked or replaced.
local text = redis.call('HGET', KEYS[2], ARGV[1])
local key = text and cjson.decode(text)
if not key or key.revokedAt ~= cjson.null then
  return 0
end
-- A key from an earlier release has no such member.
local successor = key.successorId
if successor and successor ~= cjson.null and successor ~= ARGV[3] then
  return 0
end
key.successorId = ARGV[3]
local at = tonumber(ARGV[2])
key.expiresAt = key.expiresAt == cjson.null and at or math.min(key.expiresAt, at)
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(key), ARGV[3], ARGV[4])
redis.call('HINCRBY', KEYS[1], 'revision', 1)
return 1
