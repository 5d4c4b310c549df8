-- Restores API keys that Redis has evicted, if none has changed since they were read.
--
-- KEYS[1] state, KEYS[2] API keys
-- ARGV[1] revision at which they were read
-- ARGV[2..] API keys, JSON
-- Returns how many were missing
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then
  return 0
end
local missing = 0
for i = 2, #ARGV do
  missing = missing + redis.call('HSETNX', KEYS[2], cjson.decode(ARGV[i]).id, ARGV[i])
end
return missing
