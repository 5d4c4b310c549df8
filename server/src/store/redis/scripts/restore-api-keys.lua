-- Restores API keys that Redis has evicted. Does nothing if API keys or secrets have changed since the caller read
-- them.
--
-- KEYS[1] state, KEYS[2] API keys
-- ARGV[1] revision at which the caller read the API keys
-- ARGV[2..] API keys, JSON
-- Returns the number of restored API keys
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then
  return 0
end
local missing = 0
for i = 2, #ARGV do
  missing = missing + redis.call('HSETNX', KEYS[2], cjson.decode(ARGV[i]).id, ARGV[i])
end
return missing
