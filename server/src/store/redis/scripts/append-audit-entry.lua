-- Puts an entry at the end of the audit trail.
--
-- KEYS[1] the trail
-- ARGV[1] its sequence
-- ARGV[2] the hash of the entry before
-- ARGV[3] the hash of the entry
-- ARGV[4] the entry, JSON
--
-- Answers 1, also when it stands there already; 0 when another one does, or it does not follow.
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
