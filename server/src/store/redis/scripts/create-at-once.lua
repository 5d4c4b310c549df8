-- Stores a new session, claims its visit and enters it in the indices: claim.lua, index.lua and create.lua
-- in one, where one server has all keys. The attempt is new, so nobody can have barred it.
--
-- KEYS[1] the session
-- KEYS[2] the visit, or the session once more where there is none
-- KEYS[3] and following: the indices
-- ARGV[1] the session's text
-- ARGV[2] for how long (ms) it is kept
-- ARGV[3] 'id nonce ' of the claim, empty where there is no visit
-- ARGV[4] for how long (ms) the claim is kept
-- ARGV[5] to ARGV[7] as ARGV[1] to ARGV[3] of index.lua
--
-- Answers 'created', also when it is there already; 'id-taken'; 'claimed' when somebody has a claim of the
-- visit. Nothing is changed then.
local known = redis.call('GET', KEYS[1])
if known then
  return known == ARGV[1] and 'created' or 'id-taken'
end
if ARGV[3] ~= '' then
  local time = redis.call('TIME')
  local since = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  if not redis.call('SET', KEYS[2], ARGV[3] .. since, 'PX', ARGV[4], 'NX') then
    return 'claimed'
  end
end
for i = 3, #KEYS do
  redis.call('ZREMRANGEBYLEX', KEYS[i], '-', '(' .. ARGV[5])
  redis.call('ZADD', KEYS[i], 0, ARGV[7])
  redis.call('PEXPIRE', KEYS[i], ARGV[6])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'created'
