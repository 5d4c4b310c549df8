-- Removes the claim of a visit.
--
-- KEYS[1] claim of the visit
-- ARGV[1] 'handle nonce' for one claim, or 'handle ' for any claim of the session
-- Returns 1; 0 if the visit has no such claim
local claim = redis.call('GET', KEYS[1])
if claim and string.sub(claim, 1, #ARGV[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
