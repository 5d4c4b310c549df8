-- Prelude: the claim of a script that claims a visit and writes it into the session in one step, after
-- prelude/claim.lua. Only where one server holds all keys.

-- Claims the visit for the attempt `owner` ('id nonce '). If another session has a claim, or the attempt is fenced,
-- returns false and fences the attempt: its caller learns that nothing was done, so a late copy must do nothing.
-- Replaces a claim of the same session: an attempt that shared it finds the visit written.
local function claimCombined(visit, fence, owner, life, fenceLife)
  local current = redis.call('GET', visit)
  local own = string.match(owner, '^%S+ ')
  local isHeld = current and string.sub(current, 1, #own) ~= own
  if isHeld or redis.call('EXISTS', fence) == 1 then
    redis.call('SET', fence, '', 'PX', fenceLife)
    return false
  end
  writeClaim(visit, owner, life)
  return true
end
