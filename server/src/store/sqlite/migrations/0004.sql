-- About when a key was last shown by a caller; NULL: never.
ALTER TABLE keys ADD COLUMN last_used_at INTEGER;
