-- Prelude: writes a note of a change into the queue of the session's shard (layout/note-codec.ts).
--
-- KEYS[1] session, the last of KEYS: queue of notes

-- Writes the note of a change at `age` (ms since the session's creation). `bits` is the sum of CREATED_BIT, if nothing
-- was stored of the session before, ROTATION_BIT, and the bits of the ids that the change has added; `hashes` has the
-- hashes of these ids. Returns what the caller needs to work the note off: its id in the queue, a space, its text.
local function writeNote(age, bits, hashes)
  local note = string.format('%s%.0f,%.0f,%s', string.sub(KEYS[1], -24), bits, age, hashes)
  return redis.call('XADD', KEYS[#KEYS], '*', '', note) .. ' ' .. note
end
