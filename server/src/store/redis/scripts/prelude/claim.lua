-- Prelude: writes the claim of a visit (sessions/visit-claim.ts).

-- Returns the time of the Redis server, Unix ms.
local function serverTime()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Writes a claim for `owner` ('id nonce '), with the server's time. `life` is the lifetime of the claim (ms).
local function writeClaim(visit, owner, life)
  redis.call('SET', visit, owner .. string.format('%.0f', serverTime()), 'PX', life)
end
