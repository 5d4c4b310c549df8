-- Replaces the marker of a shard, if it is still the one that the caller has read.
--
-- KEYS[1] marker
-- ARGV[1] marker that was read, ARGV[2] new marker
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
end
