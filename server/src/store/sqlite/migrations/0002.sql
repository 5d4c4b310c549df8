-- What is told of a session's life, beside the session itself.
ALTER TABLE sessions ADD COLUMN
  -- Requests recorded, as far as they lie in "segments"; those that were let go are counted too.
  records INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN
  -- The last row of "journal" whose requests are counted above.
  journaled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN
  -- Associations after the creation, as JSON: [[ms after the creation, requests before it, fields], …],
  -- the fields as a sum of 1 (agent), 2 (customer), 4 (visit) and 8 (global visit).
  history TEXT;

-- Requests that were recorded of late, of all sessions as they came: a line each, of the session's id
-- and the record. What arrives within a moment is one row at the end of the table.
CREATE TABLE journal (
  -- Never used again: sessions remember up to which row they have been read.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  lines    TEXT NOT NULL
) STRICT;

-- The requests of a session, many in a row: moved here from the journal in batches.
CREATE TABLE segments (
  -- A key of its own: without one, a row of over a quarter of a page takes a page more.
  id      INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  -- The sequence of the first request in "lines".
  first   INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  lines   TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_by_session ON segments (session, first);

-- First answers to requests that carry an idempotency key.
CREATE TABLE answers (
  sequence  INTEGER PRIMARY KEY,
  -- A hash of the key and of whoever sent it.
  key       TEXT    NOT NULL UNIQUE,
  -- A hash of the request.
  request   TEXT    NOT NULL,
  -- Milliseconds since 1970.
  stored_at INTEGER NOT NULL,
  answer    TEXT    NOT NULL
) STRICT;
