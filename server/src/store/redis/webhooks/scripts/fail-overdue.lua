-- Fails pending deliveries that are too old, oldest first.
--
-- ARGV[1] time before which they were queued, ARGV[2] the largest number, ARGV[3] now, ARGV[4] the attempt, JSON
-- Returns their number
local count = 0
for _, sequence in ipairs(redis.call('ZRANGE', OF_STATE.pending, 0, tonumber(ARGV[2]) - 1)) do
  local delivery = read(sequence)
  if delivery.queuedAt < tonumber(ARGV[1]) then
    delivery.lastAttempt = ARGV[4]
    finish(sequence, delivery, 'failed', tonumber(ARGV[3]))
    count = count + 1
  end
end
return count
