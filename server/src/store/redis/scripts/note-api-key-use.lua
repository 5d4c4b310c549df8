-- Stores when API keys were last used. Ignores unknown API keys, and times earlier than the stored ones.
--
-- KEYS[1] API keys, KEYS[2] times of their last use
-- ARGV id of an API key and time of its use (Unix ms), for each API key
for i = 1, #ARGV, 2 do
  local stored = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or -1)
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 and stored < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
