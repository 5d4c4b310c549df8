-- Removes the queue of an endpoint. For a day, nothing can be added to it: a process may not know yet that the
-- endpoint was removed.
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
redis.call('HSET', KEYS[1], 'removed', 1)
redis.call('PEXPIRE', KEYS[1], 86400000)
