-- Adds usage to a rate limit's bucket, by this server's clock, as those of the processes may differ.
--
-- KEYS[1] time when the bucket is drained (Unix ms); missing if it is
-- ARGV[1] usage to add, as the ms that it takes to drain
-- Returns the ms until the bucket is drained, as text, since replies lose the fractions of numbers
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local drainedAt = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.3f', drainedAt), 'PX', math.ceil(drainedAt - now) + 1)
return string.format('%.3f', drainedAt - now)
