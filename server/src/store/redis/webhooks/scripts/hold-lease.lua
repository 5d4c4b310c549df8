-- Takes or keeps the lease of the process that delivers.
--
-- KEYS[1] lease
-- ARGV[1] the process, ARGV[2] duration in ms
-- Returns 1 if this process has the lease
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
