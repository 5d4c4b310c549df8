-- Appends the event that a customer was erased, once.
--
-- KEYS[1], KEYS[2], ARGV[1], ARGV[2] as in prelude/event-log.lua
-- ARGV[3] nonce of the request, ARGV[4] entry
-- Returns the id of the event; '' if it was appended before
if redis.call('HGET', KEYS[2], 'erasure') == ARGV[3] then
  return ''
end
redis.call('HSET', KEYS[2], 'erasure', ARGV[3])
append(ARGV[4])
return finish()
