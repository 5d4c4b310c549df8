-- Prelude of change-data.lua: changes only the data of a session that is as the caller has read it, so the caller has applied
-- the rules. Comes before the other preludes, because declaring their functions takes longer than this step.
--
-- KEYS, ARGV and the returned values as in change-data.lua
if ARGV[13] ~= '' and redis.call('GET', KEYS[1]) == ARGV[13] then
  if string.sub(redis.call('GET', KEYS[3]) or '', 1, #ARGV[11]) == ARGV[10] then
    redis.call('SET', KEYS[3], ARGV[12], 'PX', ARGV[14])
    return { 'changed', ARGV[13], false }
  end
end
