-- The whole schema. Times are Unix milliseconds unless noted otherwise.

-- One row for each stored session. An implicit session, which exists only in its handle, has no row.
CREATE TABLE sessions (
  -- (creation time in ms since 2020-01-01) * 4096 + the counter in the handle, so that rows are in the order of
  -- creation.
  id              INTEGER PRIMARY KEY,
  -- The random bytes of the handle: the first four (signed), and the last six minus 2^47. Together with "id" they are
  -- the whole handle.
  random_high     INTEGER NOT NULL,
  random_low      INTEGER NOT NULL,
  -- The last use, in ms after the creation, which takes less space than an absolute time.
  active_after    INTEGER NOT NULL,
  -- The expiry or, if the session has ended, the end, in ms after the creation.
  expires_after   INTEGER NOT NULL,
  -- 0: neither ended nor found expired by the purge; 1: ended; 2: found expired by the purge; -1: erased, a tombstone.
  ended           INTEGER NOT NULL,
  -- How often the session has got another id: the number of rotations in "history". If the session has a profile or a
  -- label, a JSON text: [generation, profile, label].
  generation      ANY     NOT NULL,
  agent_id        TEXT,
  customer_id     TEXT,
  visit_id        TEXT,
  global_visit_id TEXT,
  -- The number of records that were merged into "segments", including those that were dropped later.
  records         INTEGER NOT NULL DEFAULT 0,
  -- The "sequence" of the last row of "journal" whose records are counted in "records".
  journaled       INTEGER NOT NULL DEFAULT 0,
  -- Associations and rotations, as JSON: [[ms after the creation, number of earlier records, what happened], …]. What
  -- happened is a sum of 1 (agent), 2 (customer), 4 (visit), 8 (global visit) and 32 (rotation).
  history         TEXT
) STRICT;

-- Session data. A session that has never had data has no row. The row stays as long as that of the session: it
-- also shows that the session has been published.
CREATE TABLE session_data (
  -- The "id" of the session.
  session INTEGER PRIMARY KEY,
  -- The time of the last change.
  changed INTEGER NOT NULL,
  -- A JSON object; empty when the session has ended or was found expired.
  json    TEXT    NOT NULL
) STRICT;

-- Recently recorded requests of all sessions, in the order of their arrival. Each record is a line: the handle
-- of the session, then the record. The records that arrive together are one row, at the end of the table.
CREATE TABLE journal (
  -- Never reused, because "journaled" in "sessions" refers to it.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  lines    TEXT NOT NULL
) STRICT;

-- Records by session, up to 256 in each row. They are moved here from the journal in batches.
CREATE TABLE segments (
  -- With this key a row can fill a whole page. In a table WITHOUT ROWID, a row of more than a quarter of a page
  -- would need a second page.
  id      INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  -- The sequence of the first record in "lines".
  first   INTEGER NOT NULL,
  -- The number of records in "lines".
  count   INTEGER NOT NULL,
  lines   TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_by_session ON segments (session, first);

-- Responses to requests with an idempotency key.
CREATE TABLE stored_responses (
  sequence    INTEGER PRIMARY KEY,
  -- A hash of the idempotency key and of the caller that chose it.
  key         TEXT    NOT NULL UNIQUE,
  -- A hash of the request's content.
  fingerprint TEXT    NOT NULL,
  stored_at   INTEGER NOT NULL,
  response    TEXT    NOT NULL,
  -- The handle of the session in which the request recorded, or that it rotated; NULL if it created a session.
  session     TEXT,
  -- The handle of the session that the request created, otherwise NULL.
  created     TEXT
) STRICT;
CREATE INDEX stored_responses_by_session ON stored_responses (ifnull(session, created));

-- Sessions that may hold a visit, for the secondary index. Changes in "index_log" are not included. Hashes here and
-- in the next tables are 48-bit keyed hashes of ids.
CREATE TABLE visit_holders (
  hash    INTEGER NOT NULL,
  session INTEGER NOT NULL,
  PRIMARY KEY (hash, session)
) STRICT, WITHOUT ROWID;

-- Changes that are not merged yet. Either "fields" of a session were set (a sum of 1, 2, 4 and 8 as in "history",
-- plus 16 if it holds its visit), or the session released the visit with this "hash".
CREATE TABLE index_log (
  sequence INTEGER PRIMARY KEY,
  session  INTEGER NOT NULL,
  fields   INTEGER NOT NULL,
  hash     INTEGER
) STRICT;

-- The complete runs of the secondary index. A run is a sorted list of entries, which one merge has written. It is
-- deleted when all of its sessions are deleted.
CREATE TABLE index_runs (
  run    INTEGER PRIMARY KEY,
  -- The oldest session in the run.
  oldest INTEGER NOT NULL,
  -- The newest session in the run.
  newest INTEGER NOT NULL
) STRICT;

-- The entries of the runs, sorted by hash and session, in blocks of one page.
CREATE TABLE index_blocks (
  id      INTEGER PRIMARY KEY,
  run     INTEGER NOT NULL,
  -- The hash of the first entry.
  hash    INTEGER NOT NULL,
  -- The session of the first entry.
  session INTEGER NOT NULL,
  -- All entries: pairs of hash and session as 64-bit numbers (IEEE 754, little-endian).
  entries BLOB    NOT NULL
) STRICT;
CREATE INDEX index_blocks_in_order ON index_blocks (run, hash, session);

-- Deleted sessions whose entries may still be in the secondary index. A purge removes the entries, then these rows.
CREATE TABLE index_deleted (
  sequence INTEGER PRIMARY KEY,
  session  INTEGER NOT NULL
) STRICT;

-- The event log. The events of a transaction are one row, at the end of the table.
CREATE TABLE events (
  -- The sequence of the last event in "entries". The events before it have the sequences before it. The newest row is
  -- never deleted, so that no sequence is used twice.
  last    INTEGER PRIMARY KEY,
  -- The time at which the row was stored.
  at      INTEGER NOT NULL,
  -- The events, as JSON arrays with commas between them (events/event-entry.ts). They refer to rows of "sessions".
  entries TEXT    NOT NULL
) STRICT;

-- API keys. The key itself is not stored.
CREATE TABLE keys (
  id           TEXT PRIMARY KEY,
  -- The name that the operator gave the key. Other keys may have the same name.
  name         TEXT,
  -- SHA-256 of the key.
  hash         TEXT    NOT NULL UNIQUE,
  role         TEXT    NOT NULL,
  customer_id  TEXT,
  agent_id     TEXT,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  revoked_at   INTEGER,
  -- The time of the last use, which may be stored late; NULL if the key was never used.
  last_used_at INTEGER,
  -- The id of the key that replaces this one; NULL if the key was not rotated.
  successor_id TEXT
) STRICT, WITHOUT ROWID;

-- Secrets of session ids. The newest one signs new ids; all of them verify ids.
CREATE TABLE secrets (
  created_at INTEGER NOT NULL,
  bytes      BLOB    NOT NULL UNIQUE
) STRICT;

-- Ends of sign-ins to the console.
CREATE TABLE sign_outs (
  -- Id of the sign-in.
  id       TEXT PRIMARY KEY,
  -- From this time on the row has no effect.
  until_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The audit trail: each entry as JSON, with the hash of the entry before it.
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  entry    TEXT NOT NULL
) STRICT;

-- A single row of facts about this database.
CREATE TABLE facts (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  -- The latest time that was stored. The server's clock never starts before it.
  clock         INTEGER NOT NULL,
  -- The key of the hashes in the secondary index.
  hash_seed     BLOB    NOT NULL,
  -- The number of rows in "sessions". It is stored because counting would read all rows.
  session_count INTEGER NOT NULL DEFAULT 0,
  -- The number of rows in "sessions" with "ended" 0.
  live_count    INTEGER NOT NULL DEFAULT 0,
  -- The progress of an unfinished import from another store; NULL if there is none.
  import_cursor TEXT
) STRICT;

-- Statistics: what a process has counted in a minute.
CREATE TABLE statistics (
  -- With this key a row can fill a whole page, as in "segments".
  id     INTEGER PRIMARY KEY,
  -- Minutes since 1970.
  minute INTEGER NOT NULL,
  -- The process, a random text. A server has another one after each start.
  source TEXT    NOT NULL,
  -- JSON (session/statistics.ts).
  counts TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX statistics_by_minute ON statistics (minute, source);

-- Endpoints of webhooks.
CREATE TABLE webhook_endpoints (
  -- The number of the endpoint in the keys of its deliveries: the lowest one that is free.
  number        INTEGER PRIMARY KEY,
  id            TEXT    NOT NULL UNIQUE,
  -- The endpoint as JSON, with its secrets, which must be readable to sign. NULL if the endpoint was removed and the
  -- purge has not deleted all of its deliveries yet.
  endpoint      TEXT,
  -- The position in the event log up to which events were queued; NULL for the start of the log.
  cursor        TEXT,
  -- Increases with each erasure of sessions.
  erasures      INTEGER NOT NULL DEFAULT 0,
  -- The sequence of the last delivery.
  last_sequence INTEGER NOT NULL DEFAULT 0,
  -- The number of pending deliveries.
  pending       INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Deliveries of events to the endpoints.
CREATE TABLE webhook_deliveries (
  -- The number of the endpoint * 2^40 + the sequence of the delivery.
  id           INTEGER PRIMARY KEY,
  endpoint     INTEGER NOT NULL,
  event        TEXT    NOT NULL,
  type         TEXT    NOT NULL,
  -- The handle of the session, NULL for an event that is about none.
  session      TEXT,
  -- The body of the request, JSON.
  body         TEXT    NOT NULL,
  -- 0: pending; 1: delivered; 2: failed.
  state        INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  queued_at    INTEGER NOT NULL,
  -- NULL if the delivery is finished, or waits for an earlier one of its session; 0 if it is due before all others.
  due_at       INTEGER,
  finished_at  INTEGER,
  -- The last attempt, as JSON.
  last_attempt TEXT,
  -- The customer in the body. A delivery can outlive the row of its session, and an erasure must find it then.
  customer     TEXT    AS (body ->> '$.data.session.customerId')
) STRICT;
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (state);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_session ON webhook_deliveries (session) WHERE session IS NOT NULL;
CREATE INDEX webhook_deliveries_by_customer ON webhook_deliveries (customer) WHERE customer IS NOT NULL;
