-- Releases the lease, if this process has it.
--
-- KEYS[1] lease
-- ARGV[1] the process
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
