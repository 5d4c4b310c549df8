-- Removes a stored response if its request created or changed the session.
--
-- KEYS[1] stored response
-- ARGV[1] handle of the session
local changed, created = unpack(redis.call('HMGET', KEYS[1], 'i', 'c'))
if changed == ARGV[1] or created == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
