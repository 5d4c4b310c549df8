-- Prelude: claims a visit in a script that also writes the visit into the session. Such a script needs all keys on one
-- server.

-- Claims the visit for the attempt `owner` ('handle nonce'). `visit` is the key of the claim, `fence` that of the
-- fence. `life` and `fenceLife` are the lifetimes (ms) of a claim and a fence.
--
-- Returns false if another session has a claim of the visit, or if this attempt is fenced. In both cases fences the
-- attempt: the caller learns that nothing was changed, so a second copy of the command must not change anything later.
-- Otherwise returns true, and whether the visit had no claim before.
--
-- If the same session has an earlier claim, replaces that claim. Another attempt that uses the earlier claim then finds
-- that its session already has the visit.
local function claimCombined(visit, fence, owner, life, fenceLife)
  local isHeld = redis.call('EXISTS', fence) == 1
  if not isHeld then
    local current = redis.call('SET', visit, owner, 'PX', life, 'NX', 'GET')
    if not current then
      return true, true
    end
    local own = string.match(owner, '^%S+ ')
    if string.sub(current, 1, #own) == own then
      redis.call('SET', visit, owner, 'PX', life)
      return true, false
    end
  end
  redis.call('SET', fence, '', 'PX', fenceLife)
  return false
end
