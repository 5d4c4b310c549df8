-- Claims a visit for a session (visit-claim.ts), and enters the session among those of the visit.
--
-- KEYS[1] the visit
-- KEYS[2] its index
-- ARGV[1] the session's id
-- ARGV[2] nonce of the attempt
-- ARGV[3] 'id nonce' of a claim that may be replaced; empty for none
-- ARGV[4] for how long (ms) the claim is kept
-- ARGV[5] to ARGV[8] as ARGV[1] to ARGV[4] of index.lua
--
-- Answers { nonce }: the session has the claim, by this attempt or an earlier one; or
-- { nonce, id, age }: another session has had it for so many milliseconds, and nothing is changed.
local nonce = ARGV[2]
local there = redis.call('GET', KEYS[1])
local isOwn = false
if there then
  local id, earlier, since = string.match(there, '^(%S+) (%S+) (%d+)$')
  if id .. ' ' .. earlier ~= ARGV[3] then
    if id ~= ARGV[1] then
      return { earlier, id, milliseconds() - since }
    end
    nonce, isOwn = earlier, true
  end
end
if not isOwn then
  claim(KEYS[1], ARGV[1] .. ' ' .. nonce .. ' ', ARGV[4])
end
enter(KEYS[2], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
return { nonce }
