-- Hides the events of sessions that are being erased, also those that are not in the log yet.
--
-- KEYS[1] handles whose events are hidden, by the time on the clock of this server
-- ARGV[1..] handles
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
for _, handle in ipairs(ARGV) do
  redis.call('ZADD', KEYS[1], now, handle)
end
