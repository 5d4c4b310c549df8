-- Prelude: adds entries to an index (index/session-index.ts).

-- Adds the entries `...`, each preceded by its score 0. Removes the entries that sort before `oldest`. Lets the index
-- expire after `life` ms. Most indexes of an id have only one entry; then there is nothing to remove.
local function addToIndex(index, oldest, life, ...)
  redis.call('ZADD', index, ...)
  if redis.call('ZCARD', index) > 1 then
    redis.call('ZREMRANGEBYLEX', index, '-', '(' .. oldest)
  end
  redis.call('PEXPIRE', index, life)
end
