-- The whole schema. Times are Unix milliseconds unless noted otherwise.

-- One row for each stored session. An anonymous session without ids and records has no row.
CREATE TABLE sessions (
  -- (creation time in ms since 2020-01-01) * 4096 + count: rows lie in the order of creation.
  id              INTEGER PRIMARY KEY,
  -- The last 30 characters of the session id: its random bytes and its MAC.
  tail            TEXT    NOT NULL,
  -- Last use and expiry, in ms after the creation: smaller than absolute times.
  active_after    INTEGER NOT NULL,
  expires_after   INTEGER NOT NULL,
  -- 0: neither ended nor seen as expired by the purge, 1: ended, 2: seen as expired.
  ended           INTEGER NOT NULL,
  agent_id        TEXT,
  customer_id     TEXT,
  visit_id        TEXT,
  global_visit_id TEXT,
  -- Records that were merged into "segments", including those that were dropped since.
  records         INTEGER NOT NULL DEFAULT 0,
  -- The last row of "journal" whose records are counted in "records".
  journaled       INTEGER NOT NULL DEFAULT 0,
  -- Associations after the creation, as JSON: [[ms after the creation, records before it, fields], …].
  -- "fields" is a sum of 1 (agent), 2 (customer), 4 (visit) and 8 (global visit).
  history         TEXT
) STRICT;

-- Recently recorded requests of all sessions in the order of their arrival: a line for each, with the session
-- id and the record. All records of a transaction are one row at the end of the table.
CREATE TABLE journal (
  -- Never reused: sessions remember the last row that was merged.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  lines    TEXT NOT NULL
) STRICT;

-- Records by session, up to 256 in a row. They are moved here from the journal in batches.
CREATE TABLE segments (
  -- With an own key a row may fill its page; without, one of over a quarter of a page takes another page.
  id      INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  -- The sequence of the first record in "lines", and the number of records.
  first   INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  lines   TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_by_session ON segments (session, first);

-- Responses to requests with an idempotency key.
CREATE TABLE stored_responses (
  sequence    INTEGER PRIMARY KEY,
  -- A hash of the key and its sender.
  key         TEXT    NOT NULL UNIQUE,
  -- A hash of the request's content.
  fingerprint TEXT    NOT NULL,
  stored_at   INTEGER NOT NULL,
  response    TEXT    NOT NULL,
  -- The id of the session in which the request recorded, or of the one that it created.
  session     TEXT,
  created     TEXT
) STRICT;
CREATE INDEX stored_responses_by_session ON stored_responses (ifnull(session, created));

-- Secondary index (48-bit keyed hashes of ids): sessions that may hold a visit, without changes in the log.
CREATE TABLE visit_holders (
  hash    INTEGER NOT NULL,
  session INTEGER NOT NULL,
  PRIMARY KEY (hash, session)
) STRICT, WITHOUT ROWID;

-- Changes that are not merged yet: "fields" of a session were set (a sum of 1, 2, 4 and 8, as in "history",
-- and of 16 if it holds its visit), or, with a "hash", the session released that visit.
CREATE TABLE index_log (
  sequence INTEGER PRIMARY KEY,
  session  INTEGER NOT NULL,
  fields   INTEGER NOT NULL,
  hash     INTEGER
) STRICT;

-- Complete runs. Each merge writes one, and it is dropped after the last of its sessions.
CREATE TABLE index_runs (
  run    INTEGER PRIMARY KEY,
  -- The oldest and the newest session in the run.
  oldest INTEGER NOT NULL,
  newest INTEGER NOT NULL
) STRICT;

-- The entries of a run, in order, in blocks of one page.
CREATE TABLE index_blocks (
  id      INTEGER PRIMARY KEY,
  run     INTEGER NOT NULL,
  -- Hash and session of the first entry.
  hash    INTEGER NOT NULL,
  session INTEGER NOT NULL,
  -- Pairs of hash and session as 64-bit numbers (IEEE 754, little-endian).
  entries BLOB    NOT NULL
) STRICT;
CREATE INDEX index_blocks_in_order ON index_blocks (run, hash, session);

-- Deleted sessions that the index may still contain. A purge removes their entries, then these rows.
CREATE TABLE index_deleted (
  sequence INTEGER PRIMARY KEY,
  session  INTEGER NOT NULL
) STRICT;

-- API keys. The key itself is not stored.
CREATE TABLE keys (
  id           TEXT PRIMARY KEY,
  -- SHA-256 of the key.
  hash         TEXT    NOT NULL UNIQUE,
  role         TEXT    NOT NULL,
  customer_id  TEXT,
  agent_id     TEXT,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  revoked_at   INTEGER,
  -- Approximate; NULL: never used.
  last_used_at INTEGER,
  -- The key that replaces this one; NULL: it was not rotated.
  successor_id TEXT
) STRICT, WITHOUT ROWID;

-- Secrets that sign session ids: the newest signs, all of them verify.
CREATE TABLE secrets (
  created_at INTEGER NOT NULL,
  bytes      BLOB    NOT NULL UNIQUE
) STRICT;

-- The audit trail: each entry as JSON, with the hash of the entry before it.
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  entry    TEXT NOT NULL
) STRICT;

-- A single row of facts about this database.
CREATE TABLE facts (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  -- The latest time that was persisted. No clock may start earlier.
  clock         INTEGER NOT NULL,
  -- The key of the hashes in the secondary index.
  hash_seed     BLOB    NOT NULL,
  -- The number of rows in "sessions": counting would read all of them.
  session_count INTEGER NOT NULL DEFAULT 0,
  -- The progress of an import from another store; NULL: none is unfinished.
  import_cursor TEXT
) STRICT;
