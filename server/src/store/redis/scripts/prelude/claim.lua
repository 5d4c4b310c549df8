-- Prelude: writes the claim of a visit (sessions/visit-claim.ts).

local function serverTime()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- `owner` is 'id nonce '; the server's time follows it.
local function writeClaim(visit, owner, life)
  redis.call('SET', visit, owner .. string.format('%.0f', serverTime()), 'PX', life)
end
