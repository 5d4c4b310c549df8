-- Adds secrets as the newest ones, or replaces all stored secrets. Does nothing if the newest given secret is already
-- the newest stored one, because the command was sent twice.
--
-- KEYS[1] state, KEYS[2] secrets
-- ARGV[1] '1' to replace all stored secrets
-- ARGV[2..] secrets, newest first
if ARGV[1] == '1' then
  redis.call('DEL', KEYS[2])
  -- The markers of shards name the oldest secret.
  redis.call('HDEL', KEYS[1], 'marked')
elseif redis.call('LINDEX', KEYS[2], 0) == ARGV[2] then
  return
end
for i = #ARGV, 2, -1 do
  redis.call('LPUSH', KEYS[2], ARGV[i])
end
redis.call('HINCRBY', KEYS[1], 'revision', 1)
