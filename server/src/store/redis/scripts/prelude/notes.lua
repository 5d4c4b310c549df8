-- Prelude: writes a note of a change into the queue of the session's shard (layout/note-codec.ts). Needs
-- prelude/session.lua before it.
--
-- KEYS[1] session, the last of KEYS: queue of notes

-- Writes a note into the queue, about the session with the key `name`. Returns what the caller needs to work the note
-- off: its id in the queue, a space, its text.
local function addNote(name, note)
  local text = string.sub(name, -24) .. note
  return redis.call('XADD', KEYS[#KEYS], '*', '', text) .. ' ' .. text
end

-- Returns the end of a note, from which its events are made: the ids, the expiry and the last use of the session, and
-- why it is over. Returns '' if no events are published.
local function momentOf(session, reason)
  if not publishes then
    return ''
  end
  local ids = 0
  for i, line in ipairs(ID_LINES) do
    if session[line] ~= '' then
      ids = ids + ID_BITS[i]
    end
  end
  return string.format(',%.0f,%.0f,%.0f,%s', ids, session[EXPIRES], session[ACTIVE], reason or '')
end

-- Writes the note of a change at `age` (ms since the session's creation) that led to `session`. `bits` is the sum of the
-- bits of what has changed, and of the ids that were added; `hashes` has the hashes of these ids.
local function writeNote(session, bits, hashes, reason)
  return addNote(KEYS[1], string.format('%.0f,%.0f,%s%s', bits, age, hashes, momentOf(session, reason)))
end
