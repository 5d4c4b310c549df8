-- Removes a stored response if its request created the session or stored records in it.
--
-- KEYS[1] stored response
-- ARGV[1] session
local recordedIn, created = unpack(redis.call('HMGET', KEYS[1], 'i', 'c'))
if recordedIn == ARGV[1] or created == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
