-- Makes the store what it is born with, once.
--
-- KEYS[1] the state
-- KEYS[2] the secrets
-- ARGV[1] the layout that this program writes
-- ARGV[2] a secret
-- ARGV[3] now, ms since 1970
--
-- Answers the layout of what is stored.
redis.call('HSETNX', KEYS[1], 'layout', ARGV[1])
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('RPUSH', KEYS[2], ARGV[2])
  redis.call('HSETNX', KEYS[1], 'floor', ARGV[3])
end
return redis.call('HGET', KEYS[1], 'layout')
