-- Removes outdated handles from a sorted set, an index of all sessions: at most 256, the oldest first.
--
-- KEYS[1] sorted set
-- ARGV[1] bound: handles that sort before it are outdated
-- Returns the number of removed handles
local outdated = redis.call('ZRANGEBYLEX', KEYS[1], '-', '(' .. ARGV[1], 'LIMIT', 0, 256)
return #outdated > 0 and redis.call('ZREM', KEYS[1], unpack(outdated)) or 0
