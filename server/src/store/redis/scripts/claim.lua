-- Claims a visit for a session (visit-claim.ts).
--
-- KEYS[1] the visit
-- ARGV[1] the session's id
-- ARGV[2] nonce of the attempt
-- ARGV[3] 'id nonce' of a claim that may be replaced; empty for none
-- ARGV[4] for how long (ms) the claim is kept
--
-- Answers { nonce }: the session has the claim, by this attempt or an earlier one; or
-- { nonce, id, age }: another session has had it for so many milliseconds.
local there = redis.call('GET', KEYS[1])
if there then
  local id, nonce, since = string.match(there, '^(%S+) (%S+) (%d+)$')
  if id .. ' ' .. nonce ~= ARGV[3] then
    if id == ARGV[1] then
      return { nonce }
    end
    return { nonce, id, milliseconds() - since }
  end
end
claim(KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ', ARGV[4])
return { ARGV[2] }
