-- Reads a session and some of its records.
--
-- KEYS[1] session, KEYS[2] its records, KEYS[3] record that is set aside
-- ARGV[1] sequence of the first record to read, ARGV[2] maximum number of records to read
-- Returns { session or false, last, oldest, { record, ... }, the text of KEYS[3] or false }; last and oldest are the
-- sequences of the last and the oldest stored record, or 0 if no records are stored
local function sequence(entry)
  return entry and tonumber(string.match(entry[1], '^%d+')) or 0
end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local records = {}
for i, entry in ipairs(redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2])) do
  records[i] = entry[2][2]
end
return { redis.call('GET', KEYS[1]), sequence(last), sequence(oldest), records, redis.call('GET', KEYS[3]) }
