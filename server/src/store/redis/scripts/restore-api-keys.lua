-- Restores API keys that Redis has evicted, if none has been changed since they were read.
--
-- KEYS[1] the state
-- KEYS[2] the API keys
-- ARGV[1] the revision at which they were read
-- ARGV[2] and following: the keys, JSON
--
-- Returns how many were missing.
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then
  return 0
end
local missing = 0
for i = 2, #ARGV do
  missing = missing + redis.call('HSETNX', KEYS[2], cjson.decode(ARGV[i]).id, ARGV[i])
end
return missing
