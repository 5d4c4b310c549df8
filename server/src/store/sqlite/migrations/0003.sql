-- The session in which a request with a key recorded, so that its answer can be kept with the session.
ALTER TABLE answers ADD COLUMN session TEXT;

-- How far a move of another store into this one has come; NULL when none is under way.
ALTER TABLE facts ADD COLUMN move TEXT;
