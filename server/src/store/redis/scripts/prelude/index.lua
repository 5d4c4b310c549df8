-- How sessions are entered in an index (indices.ts). Put before each script that enters some.
--
-- Lets go of what is older than `oldest`, adds the entries, each after a 0, and keeps the index for `life` ms from
-- now on. Where an entry is alone nothing is older: with ids of their own that is most often so.
local function enter(index, oldest, life, ...)
  redis.call('ZADD', index, ...)
  if redis.call('ZCARD', index) > 1 then
    redis.call('ZREMRANGEBYLEX', index, '-', '(' .. oldest)
  end
  redis.call('PEXPIRE', index, life)
end
