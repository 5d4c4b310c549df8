-- Adds handles to a list of sessions that may expire in the same time.
--
-- KEYS[1] list
-- ARGV[1] time (ms) for which the list is needed at least
-- ARGV[2] handles of 24 characters, one after the other
local handles = {}
for i = 1, #ARGV[2], 24 do
  handles[#handles + 1] = string.sub(ARGV[2], i, i + 23)
end
redis.call('RPUSH', KEYS[1], unpack(handles))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
