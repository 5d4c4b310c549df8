-- Makes a delivery due at once.
--
-- ARGV[1] sequence, ARGV[2] now
-- Returns the delivery, JSON; false if there is none
local delivery = read(ARGV[1])
if not delivery then
  return false
end
move(ARGV[1], delivery, 'pending')
set_due(ARGV[1], delivery, 0)
delivery.attempts, delivery.queuedAt, delivery.finishedAt = 0, tonumber(ARGV[2]), cjson.null
write(ARGV[1], delivery)
return cjson.encode(delivery)
