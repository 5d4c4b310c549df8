-- Appends the events of notes to the event log, those of each note once. Of each queue, the notes must be given in the
-- order of their ids and without a gap: all older notes of the queue were given before.
--
-- KEYS[1], KEYS[2], ARGV[1], ARGV[2] as in prelude/event-log.lua
-- KEYS[3] handles whose events are hidden
-- ARGV[3..] groups of four: tag of the queue, id of the note, by how much it changes the number of live sessions, its
-- entries with semicolons between them
-- Returns the number of appended events
local hasHidden = redis.call('EXISTS', KEYS[3]) == 1

-- Returns whether the id of a note is higher than another one.
local function isAfter(id, other)
  local time, count = string.match(id, '^(%d+)-(%d+)$')
  local otherTime, otherCount = string.match(other, '^(%d+)-(%d+)$')
  if time == otherTime then
    return tonumber(count) > tonumber(otherCount)
  end
  return tonumber(time) > tonumber(otherTime)
end

local fields, known = {}, {}
for i = 3, #ARGV, 4 do
  local tag = ARGV[i]
  if not known[tag] then
    known[tag] = true
    fields[#fields + 1] = 'note ' .. tag
  end
end
-- The id of the last note of each queue whose events are in the log.
local done = {}
for i, id in ipairs(redis.call('HMGET', KEYS[2], unpack(fields))) do
  done[string.sub(fields[i], 6)] = id or '0-0'
end
local live = 0
for i = 3, #ARGV, 4 do
  local tag, id = ARGV[i], ARGV[i + 1]
  if isAfter(id, done[tag]) then
    done[tag] = id
    live = live + tonumber(ARGV[i + 2])
    for entry in string.gmatch(ARGV[i + 3], '[^;]+') do
      if not hasHidden or not redis.call('ZSCORE', KEYS[3], string.match(entry, '^%d+,([^,]+)')) then
        append(entry)
      end
    end
  end
end
local changed = {}
for i, field in ipairs(fields) do
  changed[2 * i - 1], changed[2 * i] = field, done[string.sub(field, 6)]
end
redis.call('HSET', KEYS[2], unpack(changed))
if live ~= 0 and redis.call('HEXISTS', KEYS[2], 'live') == 1 then
  redis.call('HINCRBY', KEYS[2], 'live', live)
end
return finish()
