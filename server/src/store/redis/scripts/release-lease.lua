-- Releases the lease if the caller has it.
--
-- KEYS[1] lease
-- ARGV[1] nonce of the caller
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
