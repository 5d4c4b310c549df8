-- Reads the oldest notes of a queue.
--
-- KEYS[1] queue of notes
-- ARGV[1] minimum age (ms) of the notes, by the clock of this server
-- ARGV[2] maximum number of notes
-- Returns { { id, { '', note } }, ... }
local time = redis.call('TIME')
local latest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
return redis.call('XRANGE', KEYS[1], '-', string.format('%.0f', latest), 'COUNT', ARGV[2])
