-- Ends a reservation: completes the stored response if the request was carried out, or frees the idempotency key.
--
-- KEYS[1] stored response of the idempotency key
-- ARGV[1] nonce of the reservation
-- ARGV[2] '1' if the request was carried out, '0' if it was refused
-- Returns 1; 0 if the reservation is gone
if redis.call('HGET', KEYS[1], 'o') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '1' then
  redis.call('HDEL', KEYS[1], 'n', 'o')
else
  redis.call('DEL', KEYS[1])
end
return 1
