-- Adds entries to an index (index/session-index.ts) and removes outdated ones; or counts its entries.
--
-- KEYS[1] index
-- ARGV[1] bound: smaller entries are older than any retained session
-- ARGV[2] lifetime (ms) of an index to which nothing is added
-- ARGV[3..] entries to add, each preceded by a 0; none to count
-- Returns the number of entries, or 0 after adding
if ARGV[3] then
  addToIndex(KEYS[1], ARGV[1], ARGV[2], unpack(ARGV, 3))
  return 0
end
redis.call('ZREMRANGEBYLEX', KEYS[1], '-', '(' .. ARGV[1])
return redis.call('ZCARD', KEYS[1])
