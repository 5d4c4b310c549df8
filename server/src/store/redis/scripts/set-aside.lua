-- Sets the first record of a session aside. If something is stored of the session, or another record is set aside for
-- it, stores the records instead.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[7] as in prelude/session.lua
-- KEYS[3] record that is set aside
-- ARGV[8] lifetime of KEYS[3] (ms)
-- ARGV[9] idempotency key, or a nonce
-- ARGV[10] fingerprint of the request
-- ARGV[11] record
-- Returns one of:
-- 'set-aside'
-- 'stored'
-- 'stored-alone' if nothing but records is stored of the session
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
  storeSetAside(session, KEYS[3])
end
if not earlier and not stored and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SET', KEYS[3], head .. ARGV[11], 'PX', ARGV[8])
  return 'set-aside'
end
redis.call('SET', KEYS[3], head, 'PX', ARGV[8])
local ttl = timeToPurge(session, true)
if ttl > 0 and session[STATE] ~= 'g' then
  append(ARGV[11], lastSequence() + 1, '0')
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return stored and 'stored' or 'stored-alone'
