-- Purges a slice of the oldest entries of the event log. Shows the events of erased sessions again, of which none is left.
--
-- KEYS[1] log, KEYS[2] state of the log, KEYS[3] handles whose events are hidden
-- ARGV[1] time (Unix ms) up to which entries are purged, ARGV[2] maximum number of entries to purge
-- ARGV[3] time (ms) for which handles are hidden at least
-- Returns { number of purged entries, 1 if the log may have entries that are hidden }
local outdated = redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', ARGV[2])
local ids = {}
for i, entry in ipairs(outdated) do
  ids[i] = entry[1]
end
if #ids > 0 then
  redis.call('XDEL', KEYS[1], unpack(ids))
  redis.call('HSET', KEYS[2], 'purged', ids[#ids])
end
local newest = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
if #newest == 0 then
  return { #ids, 0 }
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cleared = tonumber(redis.call('HGET', KEYS[2], 'cleared') or 0)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('(%.0f', math.min(cleared, now - ARGV[3])))
return { #ids, tonumber(newest[2]) >= cleared and 1 or 0 }
