-- Takes the lease, or extends it.
--
-- KEYS[1] lease
-- ARGV[1] nonce of the caller, ARGV[2] duration of the lease (ms)
-- Returns the time on the clock of this server (Unix ms) if the caller has the lease; 0 if another process has it
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
