-- Stores a delivery that another store exported.
--
-- ARGV[1] sequence, ARGV[2] the delivery, JSON, ARGV[3] body
local sequence, delivery = ARGV[1], cjson.decode(ARGV[2])
local stored = read(sequence)
if stored then
  remove(sequence, stored)
end
redis.call('ZADD', OF_STATE[delivery.state], sequence, sequence)
if delivery.handle ~= cjson.null then
  add_to_session(delivery.handle, tonumber(sequence))
end
redis.call('HSET', BODIES, sequence, ARGV[3])
set_due(sequence, delivery, delivery.dueAt)
write(sequence, delivery)
if tonumber(sequence) > tonumber(redis.call('HGET', STATE, 'sequence') or 0) then
  redis.call('HSET', STATE, 'sequence', sequence)
end
