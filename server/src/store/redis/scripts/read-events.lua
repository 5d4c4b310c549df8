-- Reads entries of the event log, except those that are hidden.
--
-- KEYS[1] log, KEYS[2] state of the log, KEYS[3] handles whose events are hidden
-- ARGV[1] id after which to begin, ARGV[2] maximum number of entries to read
-- Returns { id of the newest entry or false, id of the last purged entry or false,
-- id of the last entry that was read if there may be more, or false, { id, entry, id, entry, ... } }
local last, purged = unpack(redis.call('HMGET', KEYS[2], 'last', 'purged'))
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local hasHidden = redis.call('EXISTS', KEYS[3]) == 1
local shown = {}
for _, entry in ipairs(found) do
  local text = entry[2][2]
  local handle = hasHidden and string.match(text, '^%d+,([^,]+)')
  if not handle or not redis.call('ZSCORE', KEYS[3], handle) then
    shown[#shown + 1] = entry[1]
    shown[#shown + 1] = text
  end
end
local isFull = #found == tonumber(ARGV[2])
return { last, purged, isFull and found[#found][1], shown }
