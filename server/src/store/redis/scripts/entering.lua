-- How a session is entered in an index (indices.ts). Put before each script that enters some.
--
-- Lets go of what is older than `oldest`, adds the entry, and keeps the index for `life` ms from now on. Where
-- the entry is alone nothing is older: with ids of their own that is most often so.
local function enter(index, oldest, life, entry)
  redis.call('ZADD', index, 0, entry)
  if redis.call('ZCARD', index) > 1 then
    redis.call('ZREMRANGEBYLEX', index, '-', '(' .. oldest)
  end
  redis.call('PEXPIRE', index, life)
end
