-- What a claim of a visit is (visit-claim.ts): whose it is, and since when by the server's time. Put before each
-- script that claims.
local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- `whose` is 'id nonce '.
local function claim(visit, whose, life)
  redis.call('SET', visit, whose .. string.format('%.0f', milliseconds()), 'PX', life)
end
