-- Puts secrets in front of those that are there, or in their place.
--
-- KEYS[1] the state
-- KEYS[2] the secrets
-- ARGV[1] 1 when they take the place of the others
-- ARGV[2] and following: the secrets, newest first
if ARGV[1] == '1' then
  redis.call('DEL', KEYS[2])
elseif redis.call('LINDEX', KEYS[2], 0) == ARGV[2] then
  return
end
for i = #ARGV, 2, -1 do
  redis.call('LPUSH', KEYS[2], ARGV[i])
end
redis.call('HINCRBY', KEYS[1], 'revision', 1)
