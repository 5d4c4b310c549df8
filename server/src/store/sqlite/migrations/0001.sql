-- One row a stored session. A session that never meant anything has none.
CREATE TABLE sessions (
  -- (creation time, ms since 2020-01-01) * 4096 + count: rows lie in the order of their creation,
  -- and an integer key is the smallest and fastest there is.
  id            INTEGER PRIMARY KEY,
  -- The last 30 characters of the session id: its random bytes and its MAC.
  tail          TEXT    NOT NULL,
  -- Milliseconds after the creation: short integers, where absolute times would take six bytes.
  active_after  INTEGER NOT NULL,
  expires_after INTEGER NOT NULL,
  ended         INTEGER NOT NULL,
  agent_id        TEXT,
  customer_id     TEXT,
  visit_id        TEXT,
  global_visit_id TEXT
) STRICT;

-- Which sessions may hold a visit, by 48 bits of a keyed hash of its id: an index over the hash takes
-- half the room of one over the text. It is written in batches; what waits for the next lies in the log.
CREATE TABLE visits (
  hash    INTEGER NOT NULL,
  session INTEGER NOT NULL,
  PRIMARY KEY (hash, session)
) STRICT, WITHOUT ROWID;

CREATE TABLE visit_log (
  sequence INTEGER PRIMARY KEY,
  hash     INTEGER NOT NULL,
  session  INTEGER NOT NULL,
  -- 1: the session has let go of the visit.
  gone     INTEGER NOT NULL
) STRICT;

-- Keys of the mode "key". The key itself is kept nowhere.
CREATE TABLE keys (
  id          TEXT PRIMARY KEY,
  hash        TEXT    NOT NULL UNIQUE,
  role        TEXT    NOT NULL,
  customer_id TEXT,
  agent_id    TEXT,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER,
  revoked_at  INTEGER
) STRICT, WITHOUT ROWID;

-- What session ids are signed with; the newest signs, all of them verify.
CREATE TABLE secrets (
  created_at INTEGER NOT NULL,
  bytes      BLOB    NOT NULL UNIQUE
) STRICT;

-- A single row of facts about this database.
CREATE TABLE facts (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  -- The latest time of which this store knows that it has been, ms since 1970.
  floor      INTEGER NOT NULL,
  -- The key of the hashes of visits.
  visit_seed BLOB    NOT NULL
) STRICT;
