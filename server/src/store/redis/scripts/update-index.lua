-- Keeps an index of sessions (indices.ts): those that are too old for anything to be told of them go.
--
-- KEYS[1] the index
-- ARGV[1] older entries than this are let go
-- ARGV[2] for how long (ms) an index is kept to which nothing is added
-- ARGV[3] and following: entries to add, each after a 0; or nothing
--
-- Answers how many entries there are, where none is added.
if ARGV[3] then
  enter(KEYS[1], ARGV[1], ARGV[2], unpack(ARGV, 3))
  return 0
end
redis.call('ZREMRANGEBYLEX', KEYS[1], '-', '(' .. ARGV[1])
return redis.call('ZCARD', KEYS[1])
