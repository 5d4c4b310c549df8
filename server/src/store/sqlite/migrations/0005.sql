-- Which sessions have an id of a caller, live or not, by 48 bits of a keyed hash. The ids that came to
-- be since the last merge are in the log; each merge makes a run of blocks, which is never merged again
-- and goes when the last session in it has gone.
CREATE TABLE id_blocks (
  -- A key of its own: without one, a row of over a quarter of a page takes a page more.
  id      INTEGER PRIMARY KEY,
  run     INTEGER NOT NULL,
  -- The first of the entries: hash and row key of a session.
  hash    INTEGER NOT NULL,
  session INTEGER NOT NULL,
  -- Pairs of hash and session in their order, numbers of 64 bits (IEEE 754, little-endian).
  entries BLOB    NOT NULL
) STRICT;
CREATE INDEX id_blocks_in_order ON id_blocks (run, hash, session);

-- The runs that are whole.
CREATE TABLE id_runs (
  run    INTEGER PRIMARY KEY,
  -- The newest session in it.
  newest INTEGER NOT NULL
) STRICT;

-- What the index of visits and the runs have not taken over yet: "fields" of a session were set (a sum of
-- 1, 2, 4 and 8, as in "history", and 16: it holds its visit), or, with a "hash", it let go of that visit.
CREATE TABLE id_log (
  sequence INTEGER PRIMARY KEY,
  session  INTEGER NOT NULL,
  fields   INTEGER NOT NULL,
  hash     INTEGER
) STRICT;

-- Hashes are made in another way now: everything is indexed anew, by the next start.
DROP TABLE visit_log;
DELETE FROM visits;
INSERT INTO id_log (session, fields)
  SELECT id, (agent_id IS NOT NULL) + 2 * (customer_id IS NOT NULL) + 4 * (visit_id IS NOT NULL)
    + 8 * (global_visit_id IS NOT NULL) + 16 * (visit_id IS NOT NULL AND ended = 0)
  FROM sessions WHERE coalesce(agent_id, customer_id, visit_id, global_visit_id) IS NOT NULL ORDER BY id;

-- How many rows "sessions" has: counting them would read them all.
ALTER TABLE facts ADD COLUMN sessions INTEGER NOT NULL DEFAULT 0;
UPDATE facts SET sessions = (SELECT count(*) FROM sessions);

-- The session that a request with a key created, so that its answer goes with the session.
ALTER TABLE answers ADD COLUMN created TEXT;
CREATE INDEX answers_about ON answers (ifnull(session, created));

-- The audit trail: each entry as JSON, with the hash of the one before.
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  entry    TEXT NOT NULL
) STRICT;
