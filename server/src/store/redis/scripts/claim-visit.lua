-- Claims a visit for a session (sessions/visit-claim.ts).
--
-- KEYS[1] claim of the visit
-- ARGV[1] handle of the session, ARGV[2] nonce of the attempt
-- ARGV[3] 'handle nonce' of a claim that may be replaced; '' for none
-- ARGV[4] lifetime of the claim (ms)
-- Returns one of:
-- { nonce } of the session's claim, which this attempt or an earlier one has made
-- { nonce, handle, age in ms } of another session's claim; nothing was changed
--
-- The age is ARGV[4] less the remaining lifetime of the claim. The difference is negative if a process with a longer
-- `claimLife` has made the claim. Its absolute value is returned, so that such a claim counts as old.
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[3] then
  local handle, nonce = string.match(current, '^(%S+) (%S+)$')
  if handle ~= ARGV[1] then
    local age = ARGV[4] - redis.call('PTTL', KEYS[1])
    return { nonce, handle, math.abs(age) }
  end
  return { nonce }
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[4])
return { ARGV[2] }
