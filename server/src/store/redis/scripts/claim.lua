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
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claim = redis.call('GET', KEYS[1])
if claim then
  local id, nonce, since = string.match(claim, '^(%S+) (%S+) (%d+)$')
  if id .. ' ' .. nonce ~= ARGV[3] then
    if id == ARGV[1] then
      return { nonce }
    end
    return { nonce, id, now - since }
  end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. string.format('%.0f', now), 'PX', ARGV[4])
return { ARGV[2] }
