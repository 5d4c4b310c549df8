-- Deleted sessions of which the index of ids may still have entries: a purge removes the entries some minutes
-- later, for many sessions at a time, and then the rows here.
CREATE TABLE id_gone (
  -- Ascending while a process runs; the order in which sessions were deleted.
  sequence INTEGER PRIMARY KEY,
  session  INTEGER NOT NULL
) STRICT;

-- A purge reads only the runs that can contain deleted sessions.
DROP TABLE id_runs;
CREATE TABLE id_runs (
  run    INTEGER PRIMARY KEY,
  -- The oldest and the newest session in it.
  oldest INTEGER NOT NULL,
  newest INTEGER NOT NULL
) STRICT;

-- Until now entries of deleted sessions stayed for long: the next start builds the whole index again.
DELETE FROM id_blocks;
DELETE FROM visits;
DELETE FROM id_log;
INSERT INTO id_log (session, fields)
  SELECT id, (agent_id IS NOT NULL) + 2 * (customer_id IS NOT NULL) + 4 * (visit_id IS NOT NULL)
    + 8 * (global_visit_id IS NOT NULL) + 16 * (visit_id IS NOT NULL AND ended = 0)
  FROM sessions WHERE coalesce(agent_id, customer_id, visit_id, global_visit_id) IS NOT NULL ORDER BY id;
