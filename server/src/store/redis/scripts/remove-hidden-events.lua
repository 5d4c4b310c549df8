-- Removes the entries that are hidden from a part of the event log. The last part completes this for all sessions that
-- were erased before the first one.
--
-- KEYS[1] log, KEYS[2] state of the log, KEYS[3] handles whose events are hidden
-- ARGV[1] id of the entry after which to begin; '' for the first part
-- ARGV[2] maximum number of entries to read, ARGV[3] time of the first part on the clock of this server; '' in it
-- Returns { id of the last entry that was read, or '' after the last part, time of the first part }
local began = ARGV[3]
if began == '' then
  local time = redis.call('TIME')
  began = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
local found = redis.call('XRANGE', KEYS[1], ARGV[1] == '' and '-' or '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local hidden = {}
for _, entry in ipairs(found) do
  local handle = string.match(entry[2][2], '^%d+,([^,]+)')
  if handle and redis.call('ZSCORE', KEYS[3], handle) then
    hidden[#hidden + 1] = entry[1]
  end
end
if #hidden > 0 then
  redis.call('XDEL', KEYS[1], unpack(hidden))
end
if #found == tonumber(ARGV[2]) then
  return { found[#found][1], began }
end
redis.call('HSET', KEYS[2], 'cleared', began)
return { '', began }
