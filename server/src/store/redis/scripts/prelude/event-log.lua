-- Prelude: appends entries to the event log (events/event-entries.ts).
--
-- KEYS[1] log, KEYS[2] state of the log
-- ARGV[1] now (Unix ms); '' for the clock of this server
-- ARGV[2] time (ms) for which the log is needed after its newest entry
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local newest = redis.call('HGET', KEYS[2], 'last')
if not newest then
  -- The state may have been evicted.
  local entry = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  newest = entry and entry[1] or '0-0'
end
local lastTime, lastCount = string.match(newest, '^(%d+)-(%d+)$')
lastTime, lastCount = tonumber(lastTime), tonumber(lastCount)
local appended = 0

-- Id for the next entry.
local id

-- Appends an entry. Its id is higher than that of each earlier entry, also if the log is empty or the clock is behind.
local function append(entry)
  if id then
    lastCount = lastCount + 1
  else
    if now > lastTime then
      lastTime, lastCount = now, 0
    else
      lastCount = lastCount + 1
    end
    id = string.format('%.0f-%.0f', lastTime, lastCount)
  end
  redis.call('XADD', KEYS[1], id, '', entry)
  if appended == 0 then
    -- Redis counts on from the first id.
    id = string.format('%.0f-*', lastTime)
  end
  appended = appended + 1
end

-- Must be called after the last entry. Returns its id; '' if none was appended.
local function finish()
  local last = ''
  if appended > 0 then
    last = string.format('%.0f-%.0f', lastTime, lastCount)
    redis.call('HSET', KEYS[2], 'last', last)
    if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
      redis.call('PEXPIRE', KEYS[1], ARGV[2])
    end
  end
  return last
end
