-- Appends records of another store, as far as they are new.
--
-- KEYS[1] the records of a session
-- ARGV[1] sequence of the first
-- ARGV[2] how many records are kept
-- ARGV[3] for how long (ms) they are kept
-- ARGV[4] and following: the records
local first, count = tonumber(ARGV[1]), #ARGV - 3
local entry = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = entry and tonumber(string.match(entry[1], '^%d+')) or 0
if first > last + 1 then
  -- What lies between was let go there, and with it all that is here.
  redis.call('DEL', KEYS[1])
end
for i = math.max(1, last + 2 - first), count do
  local id = string.format('%.0f-0', first + i - 1)
  redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[2], id, 'r', ARGV[3 + i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
