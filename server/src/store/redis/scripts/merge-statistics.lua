-- Replaces rows of statistics of one minute by their sum, unless another process has done so.
--
-- KEYS[1] statistics of an hour
-- ARGV[1] field of the sum, ARGV[2] the sum
-- ARGV[3..] fields of the rows
for i = 3, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then
    return
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[1], unpack(ARGV, 3))
