-- Adds what was taken from a bucket, by this server's own clock: those of the processes may differ.
--
-- KEYS[1] when the bucket is empty, ms since 1970; none: it is
-- ARGV[1] what is added, ms that it takes to flow out
--
-- Answers how long (ms) it takes until it is empty, as text: numbers lose their fractions.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.3f', at), 'PX', math.ceil(at - now) + 1)
return string.format('%.3f', at - now)
