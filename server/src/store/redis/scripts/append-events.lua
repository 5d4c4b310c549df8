-- Appends the events of notes to the event log, those of each note once. Of each queue, the notes must be given in the
-- order of their ids and without a gap: all older notes of the queue were given before.
--
-- KEYS[1], KEYS[2], ARGV[1], ARGV[2] as in prelude/event-log.lua
-- KEYS[3] handles whose events are hidden
-- ARGV[3..] groups of four: tag of the queue, id of the note, by how much it changes the number of live sessions, its
-- entries with semicolons between them
-- Returns the id of the last appended event; '' if none was appended
local hasHidden = redis.call('EXISTS', KEYS[3]) == 1
local find, sub = string.find, string.sub

-- Returns whether the id of a note is higher than another one. A longer time is later. Times of the same length, which have
-- digits only, are in the order of texts.
local function isAfter(id, other)
  local dash, otherDash = find(id, '-', 1, true), find(other, '-', 1, true)
  if dash ~= otherDash then
    return dash > otherDash
  end
  local time, otherTime = sub(id, 1, dash), sub(other, 1, dash)
  if time ~= otherTime then
    return time > otherTime
  end
  return tonumber(sub(id, dash + 1)) > tonumber(sub(other, dash + 1))
end

local function appendShown(entry)
  if not hasHidden or not redis.call('ZSCORE', KEYS[3], string.match(entry, '^%d+,([^,]+)')) then
    append(entry)
  end
end

local tags, fields, known = {}, {}, {}
for i = 3, #ARGV, 4 do
  local tag = ARGV[i]
  if not known[tag] then
    known[tag] = true
    tags[#tags + 1] = tag
    fields[#fields + 1] = 'note ' .. tag
  end
end
-- The id of the last note of each queue whose events are in the log.
local done = {}
for i, id in ipairs(redis.call('HMGET', KEYS[2], unpack(fields))) do
  done[tags[i]] = id or '0-0'
end
local live = 0
for i = 3, #ARGV, 4 do
  local tag, id, entries = ARGV[i], ARGV[i + 1], ARGV[i + 3]
  if isAfter(id, done[tag]) then
    done[tag] = id
    live = live + ARGV[i + 2]
    if find(entries, ';', 1, true) then
      for entry in string.gmatch(entries, '[^;]+') do
        appendShown(entry)
      end
    else
      appendShown(entries)
    end
  end
end
local changed = {}
for i, field in ipairs(fields) do
  changed[2 * i - 1], changed[2 * i] = field, done[tags[i]]
end
redis.call('HSET', KEYS[2], unpack(changed))
if live ~= 0 and redis.call('HEXISTS', KEYS[2], 'live') == 1 then
  redis.call('HINCRBY', KEYS[2], 'live', live)
end
return finish()
