-- Removes a session that is being erased from the indexes of a shard. Fences the session: its entries are not added
-- again.
--
-- KEYS[1] handles of erased sessions
-- KEYS[2] index of ids
-- KEYS[3] index of all sessions, then the overflows of the ids
-- ARGV[1] lifetime of the fence (ms)
-- ARGV[2] handle
-- ARGV[3..] hashes of the ids
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[1]))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
for i = 3, #ARGV do
  local handles = redis.call('HGET', KEYS[2], ARGV[i]) or ''
  local from, to = string.find(handles, ARGV[2], 1, true)
  if from then
    local rest = string.sub(handles, 1, from - 1) .. string.sub(handles, to + 1)
    if rest == '' then
      redis.call('HDEL', KEYS[2], ARGV[i])
    else
      redis.call('HSET', KEYS[2], ARGV[i], rest)
    end
  end
end
for i = 3, #KEYS do
  redis.call('ZREM', KEYS[i], ARGV[2])
end
