-- Appends records that another store exported, except those that are already stored.
--
-- KEYS[1] records of a session
-- ARGV[1] sequence of the first record
-- ARGV[2] maximum number of records to keep, ARGV[3] time to keep them (ms)
-- ARGV[4..] records
local first, count = tonumber(ARGV[1]), #ARGV - 3
local entry = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = entry and tonumber(string.match(entry[1], '^%d+')) or 0
if first > last + 1 then
  -- The exporting store had dropped all records before the first one. So the records that are stored here, which are
  -- older, are dropped too.
  redis.call('DEL', KEYS[1])
end
for i = math.max(1, last + 2 - first), count do
  local id = string.format('%.0f-0', first + i - 1)
  redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[2], id, 'r', ARGV[3 + i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
