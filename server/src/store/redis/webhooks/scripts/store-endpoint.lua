-- Stores an endpoint.
--
-- KEYS[1] endpoints
-- ARGV[1] id, ARGV[2] the endpoint, JSON, ARGV[3] "add", "replace" or "import", ARGV[4] the largest number of endpoints
-- Returns 1 if it was stored. An endpoint is replaced only by its next revision, and an import never by an older one
local text = redis.call('HGET', KEYS[1], ARGV[1])
if text == ARGV[2] then
  return 1
end
local revision = cjson.decode(ARGV[2]).revision
local stored = text and cjson.decode(text).revision
if ARGV[3] == 'replace' and stored ~= revision - 1 then
  return 0
end
if ARGV[3] == 'add' and (stored or redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4])) then
  return 0
end
if ARGV[3] == 'import' and stored and stored > revision then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
