-- Claims a visit for a session (sessions/visit-claim.ts), and adds the session to the index of the visit.
--
-- KEYS[1] claim of the visit, KEYS[2] index of the visit
-- ARGV[1] session id, ARGV[2] nonce of the attempt
-- ARGV[3] 'id nonce' of a claim that may be replaced; '' for none
-- ARGV[4] lifetime of the claim (ms)
-- ARGV[5], ARGV[6] bound and lifetime of the index, as ARGV[1] and ARGV[2] of update-index.lua
-- ARGV[7], ARGV[8] 0 and the index entry of the session
-- Returns one of:
-- { nonce } of the session's claim, which this attempt or an earlier one has made
-- { nonce, id, age in ms } of another session's claim; nothing was changed
local nonce = ARGV[2]
local current = redis.call('GET', KEYS[1])
local isOwn = false
if current then
  local id, earlier, since = string.match(current, '^(%S+) (%S+) (%d+)$')
  if id .. ' ' .. earlier ~= ARGV[3] then
    if id ~= ARGV[1] then
      return { earlier, id, serverTime() - since }
    end
    nonce, isOwn = earlier, true
  end
end
if not isOwn then
  writeClaim(KEYS[1], ARGV[1] .. ' ' .. nonce .. ' ', ARGV[4])
end
addToIndex(KEYS[2], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
return { nonce }
