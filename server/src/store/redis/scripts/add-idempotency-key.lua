-- Adds an idempotency key to the set of a session. Its lifetime is set in the same step, so that no set stays forever.
--
-- KEYS[1] set of the idempotency keys whose requests created or changed the session
-- ARGV[1] lifetime of the set (ms), ARGV[2] idempotency key
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
