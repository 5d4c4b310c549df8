-- Stores that a sign-in to the console has ended, and removes sign-outs that no longer matter.
--
-- KEYS[1] state, KEYS[2] sign-outs
-- ARGV[1] id of the sign-in, ARGV[2] time until which the sign-out matters (Unix ms), ARGV[3] now (Unix ms)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
-- At least as long as the newest one matters: the processes' clocks may differ a little.
redis.call('PEXPIRE', KEYS[2], 86400000)
redis.call('HINCRBY', KEYS[1], 'revision', 1)
