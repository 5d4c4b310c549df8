-- Adds entries to an index (index/session-index.ts), or counts the entries of an index. In both cases removes outdated
-- entries.
--
-- KEYS[1] index
-- ARGV[1] bound: entries that sort before it belong to sessions older than any retained session
-- ARGV[2] time (ms) after which the index expires if no more entries are added
-- ARGV[3..] entries to add, each preceded by its score 0; if there are none, the script counts
-- Returns the number of entries if the script counts; otherwise 0
if ARGV[3] then
  addToIndex(KEYS[1], ARGV[1], ARGV[2], unpack(ARGV, 3))
  return 0
end
redis.call('ZREMRANGEBYLEX', KEYS[1], '-', '(' .. ARGV[1])
return redis.call('ZCARD', KEYS[1])
