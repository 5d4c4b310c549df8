-- Notes what came of a request that was reserved: its answer stays, or the key is free again.
--
-- KEYS[1] the key
-- ARGV[1] nonce of who reserved it
-- ARGV[2] 1 when it was carried out, 0 when it was refused
--
-- Answers 1, or 0 when it is not reserved by that one any more.
if redis.call('HGET', KEYS[1], 'o') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '1' then
  redis.call('HDEL', KEYS[1], 'n', 'o')
else
  redis.call('DEL', KEYS[1])
end
return 1
