-- Adds handles to a list of sessions that may expire in the same time.
--
-- KEYS[1] list
-- ARGV[1] time (ms) for which the list is needed at least
-- ARGV[2..] handles
redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
