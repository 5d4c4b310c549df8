-- Removes a stored response, if it is about the session.
--
-- KEYS[1] the key
-- ARGV[1] the session
local recordedIn, created = unpack(redis.call('HMGET', KEYS[1], 'i', 'c'))
if recordedIn == ARGV[1] or created == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
