-- Appends records of another store, except those already stored.
--
-- KEYS[1] records of a session
-- ARGV[1] sequence of the first record
-- ARGV[2] maximum number of records to keep, ARGV[3] ms to keep them
-- ARGV[4..] records
local first, count = tonumber(ARGV[1]), #ARGV - 3
local entry = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = entry and tonumber(string.match(entry[1], '^%d+')) or 0
if first > last + 1 then
  -- The other store has dropped the records in between, so all that are stored here are dropped too.
  redis.call('DEL', KEYS[1])
end
for i = math.max(1, last + 2 - first), count do
  local id = string.format('%.0f-0', first + i - 1)
  redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[2], id, 'r', ARGV[3 + i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
