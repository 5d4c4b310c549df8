-- Prelude: claims visits in a script that also writes them into sessions. Such a script needs all keys in one slot or on
-- one server.
--
-- KEYS[1] fence of the attempt
-- ARGV[1] nonce of the claims, ARGV[2] lifetime of a claim (ms)
--
-- If the attempt is refused, the script fences it: the caller learns that nothing was changed, so a second copy of the
-- command must not change anything later. A fenced attempt claims nothing.
local nonce, claimLife = ' ' .. ARGV[1], ARGV[2]
local isFenced = redis.call('EXISTS', KEYS[1]) == 1

-- Claims a visit for the session with this handle. `visit` is the key of the claim. Returns false if another session has a
-- claim of the visit. Otherwise returns true, and whether the visit had no claim before.
--
-- If the same session has an earlier claim, replaces that claim. Another attempt that uses the earlier claim then finds
-- that its session already has the visit.
local function claim(visit, handle)
  local owner = handle .. nonce
  local current = redis.call('SET', visit, owner, 'PX', claimLife, 'NX', 'GET')
  if not current then
    return true, true
  end
  if string.sub(current, 1, #handle + 1) ~= handle .. ' ' then
    return false
  end
  redis.call('SET', visit, owner, 'PX', claimLife)
  return true, false
end
