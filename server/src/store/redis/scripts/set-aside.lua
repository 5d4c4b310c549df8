-- Sets the first record of a session aside. If something is stored of the session, or another record is set aside for
-- it, stores the records instead.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[7] as in prelude/session.lua
-- KEYS[3] record that is set aside
-- KEYS[4] queue of notes
-- ARGV[8] lifetime of KEYS[3] (ms)
-- ARGV[9] idempotency key, or a nonce
-- ARGV[10] fingerprint of the request
-- ARGV[11] record
-- Returns one of:
-- 'set-aside'
-- 'stored' if the records are stored, or the session's retention is over, or it was erased
-- the note, if the records are stored and nothing was stored of the session before, or it is published from now on
-- 'repeated' if the same request was accepted before
-- 'key-reused' if the key was used with another fingerprint
local session, stored = load()
local head = ARGV[9] .. '\n' .. ARGV[10] .. '\n'
local earlier = redis.call('GET', KEYS[3])
if earlier then
  if string.sub(earlier, 1, #head) == head then
    return 'repeated'
  end
  if string.match(earlier, '^[^\n]*') == ARGV[9] then
    return 'key-reused'
  end
end
local isFirst = redis.call('EXISTS', KEYS[2]) == 0
if isFirst and not stored and not earlier then
  redis.call('SET', KEYS[3], head .. ARGV[11], 'PX', ARGV[8])
  return 'set-aside'
end
if earlier then
  storeSetAside(session, KEYS[3])
end
redis.call('SET', KEYS[3], head, 'PX', ARGV[8])
local ttl = timeToPurge(session, true)
if ttl <= 0 or session[STATE] == 'g' then
  return 'stored'
end
append(ARGV[11], lastSequence() + 1, '0')
redis.call('PEXPIRE', KEYS[2], ttl)
return isFirst and noteFirstRecord(session, stored) or 'stored'
