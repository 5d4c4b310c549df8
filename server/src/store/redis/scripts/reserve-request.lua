-- Reserves an idempotency key for a request (operations/idempotency.ts), unless the key was used before.
--
-- KEYS[1] stored response of the idempotency key
-- ARGV[1] now (Unix ms), ARGV[2] lifetime of a stored response (ms)
-- ARGV[3] nonce of the caller
-- ARGV[4] fingerprint of the request, ARGV[5] its response
-- ARGV[6] handle of the session that the request changes, or ''
-- ARGV[7] handle of the session that the request creates, or ''
-- ARGV[8] data that are needed to carry out the request; '-' if the reservation already completes the request
-- Returns one of:
-- { 'reserved' }, even if the same caller repeats the call
-- { 'done', fingerprint, response } of an earlier request that is completed
-- { 'pending', fingerprint, response, handle, needed data, nonce } of an earlier request that is not completed
local request, response, storedAt, changed, created, work, nonce =
  unpack(redis.call('HMGET', KEYS[1], 'r', 'a', 't', 'i', 'c', 'n', 'o'))
if storedAt and storedAt + ARGV[2] > tonumber(ARGV[1]) then
  if nonce == ARGV[3] then
    return { 'reserved' }
  end
  if not work then
    return { 'done', request, response }
  end
  return { 'pending', request, response, changed or created or '', work, nonce }
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'r', ARGV[4], 'a', ARGV[5], 't', ARGV[1], 'o', ARGV[3])
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'i', ARGV[6])
end
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[1], 'c', ARGV[7])
end
if ARGV[8] ~= '-' then
  redis.call('HSET', KEYS[1], 'n', ARGV[8])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 'reserved' }
