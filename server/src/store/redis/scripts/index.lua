-- Keeps an index of sessions (indices.ts): those that are too old for anything to be told of them go.
--
-- KEYS[1] the index
-- ARGV[1] older entries than this are let go
-- ARGV[2] for how long (ms) an index is kept to which nothing is added
-- ARGV[3] an entry to add; empty for none
--
-- Answers how many entries there are.
if ARGV[3] ~= '' then
  enter(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
else
  redis.call('ZREMRANGEBYLEX', KEYS[1], '-', '(' .. ARGV[1])
end
return redis.call('ZCARD', KEYS[1])
