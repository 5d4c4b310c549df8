-- The claim of a script that claims a visit and writes it into the session in one, where one server has all keys.
-- Put before each of them, after claiming.lua.
--
-- Claims the visit by the attempt 'id nonce ', unless another session has a claim or the attempt is barred; false
-- then, and it is barred: a copy of it that comes late must not do what its caller was told is not done. A claim of
-- the session's own gives way: whoever shared it finds the visit written.
local function claimAtOnce(visit, bar, whose, life, barLife)
  local there = redis.call('GET', visit)
  local own = string.match(whose, '^%S+ ')
  local isHeld = there and string.sub(there, 1, #own) ~= own
  if isHeld or redis.call('EXISTS', bar) == 1 then
    redis.call('SET', bar, '', 'PX', barLife)
    return false
  end
  claim(visit, whose, life)
  return true
end
