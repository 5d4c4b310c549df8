-- Stores a new session, claims its visit and enters it in the indices: claim.lua, index.lua and create.lua
-- in one, where one server has all keys.
--
-- KEYS[1] the session
-- KEYS[2] the visit, or the session once more where there is none
-- KEYS[3] what is there when the attempt is barred, or the session once more
-- KEYS[4] and following: the indices
-- ARGV[1] the session's text
-- ARGV[2] for how long (ms) it is kept
-- ARGV[3] 'id nonce ' of the claim, empty where there is no visit
-- ARGV[4] for how long (ms) the claim is kept, ARGV[5] the bar
-- ARGV[6] to ARGV[9] as ARGV[1] to ARGV[4] of index.lua
--
-- Answers 'created', also when it is there already; 'id-taken'; 'claimed' when somebody has a claim of the
-- visit. Nothing is changed then.
local known = redis.call('GET', KEYS[1])
if known then
  return known == ARGV[1] and 'created' or 'id-taken'
end
if ARGV[3] ~= '' and not claimAtOnce(KEYS[2], KEYS[3], ARGV[3], ARGV[4], ARGV[5]) then
  return 'claimed'
end
for i = 4, #KEYS do
  enter(KEYS[i], ARGV[6], ARGV[7], ARGV[8], ARGV[9])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'created'
