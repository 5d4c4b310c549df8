-- Appends an entry to the audit trail.
--
-- KEYS[1] audit trail
-- ARGV[1] sequence, ARGV[2] hash of the previous entry, ARGV[3] hash of the entry, ARGV[4] the entry, JSON
-- Returns 1 if the entry was appended now or is already the last one; 0 if it does not follow the last entry
local count = redis.call('LLEN', KEYS[1])
local last = redis.call('LINDEX', KEYS[1], -1)
local hash = last and cjson.decode(last).hash or string.rep('0', 64)
if count == tonumber(ARGV[1]) and hash == ARGV[3] then
  return 1
end
if count + 1 ~= tonumber(ARGV[1]) or hash ~= ARGV[2] then
  return 0
end
redis.call('RPUSH', KEYS[1], ARGV[4])
return 1
