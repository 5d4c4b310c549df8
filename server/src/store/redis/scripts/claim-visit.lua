-- Claims a visit for a session (sessions/visit-claim.ts), and adds the session to the index of the visit.
--
-- KEYS[1] claim of the visit, KEYS[2] index of the visit
-- ARGV[1] handle of the session, ARGV[2] nonce of the attempt
-- ARGV[3] 'handle nonce' of a claim that may be replaced; '' for none
-- ARGV[4] lifetime of the claim (ms)
-- ARGV[5], ARGV[6] bound and lifetime of the index, as ARGV[1] and ARGV[2] of update-index.lua
-- ARGV[7], ARGV[8] 0 and the index entry of the session
-- Returns one of:
-- { nonce } of the session's claim, which this attempt or an earlier one has made
-- { nonce, handle, age in ms } of another session's claim; nothing was changed
--
-- The age is ARGV[4] less the remaining lifetime of the claim. The difference is negative if a process with a longer
-- `claimLife` has made the claim. Its absolute value is returned, so that such a claim counts as old.
local nonce = ARGV[2]
local current = redis.call('GET', KEYS[1])
local isOwn = false
if current then
  local handle, earlier = string.match(current, '^(%S+) (%S+)$')
  if current ~= ARGV[3] then
    if handle ~= ARGV[1] then
      local age = ARGV[4] - redis.call('PTTL', KEYS[1])
      return { earlier, handle, math.abs(age) }
    end
    nonce, isOwn = earlier, true
  end
end
if not isOwn then
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. nonce, 'PX', ARGV[4])
end
addToIndex(KEYS[2], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
return { nonce }
