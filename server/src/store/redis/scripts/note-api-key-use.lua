-- Notes when keys were used, where that is later than what is noted.
--
-- KEYS[1] the keys
-- KEYS[2] when they were used
-- ARGV    id and time (ms since 1970) of each
for i = 1, #ARGV, 2 do
  local noted = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or -1)
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 and noted < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
