-- Adds usage to the bucket of a rate limit. Uses the clock of the Redis server, because the clocks of the processes
-- that share the bucket may differ.
--
-- KEYS[1] bucket: the time at which it will be empty (Unix ms); the key is missing if the bucket is empty
-- ARGV[1] usage to add, as the time in ms that it takes to drain
-- Returns the time in ms until the bucket is empty. It is text, because Redis drops the fraction of a number.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local drainedAt = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.3f', drainedAt), 'PX', math.ceil(drainedAt - now) + 1)
return string.format('%.3f', drainedAt - now)
