-- Stores a row of statistics. It replaces the earlier row of its minute and process.
--
-- KEYS[1] statistics of an hour
-- ARGV[1] time (ms) for which the hour is kept
-- ARGV[2] field: minute and process, ARGV[3] counts
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
