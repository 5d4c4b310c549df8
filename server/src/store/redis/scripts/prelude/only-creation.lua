-- Prelude of store-sessions.lua: stores one new session and claims its visit, if nothing is stored of either and the
-- attempt is not fenced. Most calls on a cluster are of this kind. Comes before the rest, because declaring its functions
-- takes longer than this step.
--
-- KEYS, ARGV and the returned values as in store-sessions.lua
if #KEYS == 4 and redis.call('EXISTS', KEYS[1], KEYS[3], KEYS[4]) == 0 then
  if KEYS[4] ~= KEYS[3] then
    redis.call('SET', KEYS[4], string.sub(KEYS[3], -24) .. ' ' .. ARGV[1], 'PX', ARGV[2])
  end
  redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6])
  return redis.call('XADD', KEYS[2], '*', '', ARGV[7])
end
