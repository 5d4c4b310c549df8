-- Lets go of a visit.
--
-- KEYS[1] the visit
-- ARGV[1] whose claim: 'id nonce ', or 'id ' for any of the session
--
-- Answers 1, or 0 when there is no such claim.
local claim = redis.call('GET', KEYS[1])
if claim and string.sub(claim, 1, #ARGV[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
