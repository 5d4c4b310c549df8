-- Adds handles to a sorted set, an index of all sessions or the overflow of an id (index/index-entry.ts), except those of
-- erased sessions.
--
-- KEYS[1] sorted set, KEYS[2] handles of erased sessions
-- ARGV[1] time (ms) for which the sorted set is needed at least
-- ARGV[2] handles of 24 characters, one after the other
local hasErased = redis.call('EXISTS', KEYS[2]) == 1
local added = {}
for i = 1, #ARGV[2], 24 do
  local handle = string.sub(ARGV[2], i, i + 23)
  if not hasErased or not redis.call('ZSCORE', KEYS[2], handle) then
    added[#added + 1] = 0
    added[#added + 1] = handle
  end
end
if #added > 0 then
  redis.call('ZADD', KEYS[1], unpack(added))
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
  end
end
