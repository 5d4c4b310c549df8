-- Removes the first handles of a list of sessions, unless another process has removed some of them.
--
-- KEYS[1] list
-- ARGV[1] number of handles, ARGV[2], ARGV[3] the first and the last of them
if redis.call('LINDEX', KEYS[1], 0) == ARGV[2] and redis.call('LINDEX', KEYS[1], ARGV[1] - 1) == ARGV[3] then
  redis.call('LTRIM', KEYS[1], ARGV[1], -1)
end
