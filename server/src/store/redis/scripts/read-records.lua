-- Reads records of a session.
--
-- KEYS[1] session, KEYS[2] its records
-- ARGV[1] first sequence, ARGV[2] maximum number
-- Returns { session or false, last sequence, oldest kept sequence, { record, ... } }; sequences are 0 without records
local function sequence(entry)
  return entry and tonumber(string.match(entry[1], '^%d+')) or 0
end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local records = {}
for i, entry in ipairs(redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2])) do
  records[i] = entry[2][2]
end
return { redis.call('GET', KEYS[1]), sequence(last), sequence(oldest), records }
