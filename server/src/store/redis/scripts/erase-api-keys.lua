-- Removes the API keys of a customer.
--
-- KEYS[1] state, KEYS[2] API keys, KEYS[3] times of their last use
-- ARGV[1] customer
-- Returns the number of removed API keys
local removed = 0
for _, text in ipairs(redis.call('HVALS', KEYS[2])) do
  local key = cjson.decode(text)
  if key.customerId == ARGV[1] then
    redis.call('HDEL', KEYS[2], key.id)
    redis.call('HDEL', KEYS[3], key.id)
    removed = removed + 1
  end
end
if removed > 0 then
  redis.call('HINCRBY', KEYS[1], 'revision', 1)
end
return removed
