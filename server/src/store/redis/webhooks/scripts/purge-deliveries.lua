-- Removes finished deliveries that are too old, and successful ones beyond a number.
--
-- ARGV[1] time before which they were finished, ARGV[2] number of successful ones to keep, ARGV[3] the largest number
-- Returns how many were removed
local count = 0
for _, state in ipairs({ 'delivered', 'failed' }) do
  local name = OF_STATE[state]
  local excess = state == 'delivered' and redis.call('ZCARD', name) - tonumber(ARGV[2]) or 0
  for i, sequence in ipairs(redis.call('ZRANGE', name, 0, tonumber(ARGV[3]) - 1)) do
    local delivery = read(sequence)
    if i <= excess or delivery.finishedAt < tonumber(ARGV[1]) then
      remove(sequence, delivery)
      count = count + 1
    end
  end
end
return count
