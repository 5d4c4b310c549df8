-- Stores of which shards the sessions have their index entries again, after a loss of shards. Stores nothing if shards have
-- lost their data since, as the entries that were written may be lost again.
--
-- KEYS[1] state
-- ARGV[1] time of the loss that is being repaired
-- ARGV[2] tags of two characters, one after the other
-- ARGV[3] number of all shards
-- Returns the number of shards that are done; -1 if shards have lost their data since
if redis.call('HGET', KEYS[1], 'lost') ~= ARGV[1] then
  return -1
end
if redis.call('HGET', KEYS[1], 'repaired') == ARGV[1] then
  return tonumber(ARGV[3])
end
local loss, tags = string.match(redis.call('HGET', KEYS[1], 'repair') or '', '^(%d+) (.*)$')
local known, done = {}, {}
for tag in string.gmatch((loss == ARGV[1] and tags or '') .. ARGV[2], '..') do
  if not known[tag] then
    known[tag] = true
    done[#done + 1] = tag
  end
end
if #done < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'repair', ARGV[1] .. ' ' .. table.concat(done))
else
  redis.call('HSET', KEYS[1], 'repaired', ARGV[1])
  redis.call('HDEL', KEYS[1], 'repair')
end
return #done
