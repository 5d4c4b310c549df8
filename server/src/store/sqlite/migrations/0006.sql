-- The key that replaces this one; NULL: it was not rotated.
ALTER TABLE keys ADD COLUMN successor_id TEXT;
