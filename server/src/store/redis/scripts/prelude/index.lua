-- Prelude: adds entries to an index (index/session-index.ts).

-- Adds the entries `...`, each preceded by its score 0, removes those before `oldest`, and keeps the index for
-- `life` ms. A single entry has nothing older beside it, as in most indexes of one id.
local function addToIndex(index, oldest, life, ...)
  redis.call('ZADD', index, ...)
  if redis.call('ZCARD', index) > 1 then
    redis.call('ZREMRANGEBYLEX', index, '-', '(' .. oldest)
  end
  redis.call('PEXPIRE', index, life)
end
