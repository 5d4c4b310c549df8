-- Reserves a key for a request that is to be carried out once (answers.ts).
--
-- KEYS[1] the key
-- ARGV[1] now, ms since 1970
-- ARGV[2] for how long (ms) answers are kept
-- ARGV[3] nonce of who asks
-- ARGV[4] the request
-- ARGV[5] its answer
-- ARGV[6] the session in which is recorded; empty when one is created
-- ARGV[7] the session that is created; empty when is recorded
-- ARGV[8] what is needed to carry it out; '-' when nothing is left to do
--
-- Answers { 'reserved' }, also when the same one asks again; { 'done', request, answer }; or
-- { 'pending', request, answer, session that it is about, what is needed, nonce }.
local request, answer, storedAt, id, created, need, nonce =
  unpack(redis.call('HMGET', KEYS[1], 'r', 'a', 't', 'i', 'c', 'n', 'o'))
if storedAt and storedAt + ARGV[2] > tonumber(ARGV[1]) then
  if nonce == ARGV[3] then
    return { 'reserved' }
  end
  if not need then
    return { 'done', request, answer }
  end
  return { 'pending', request, answer, id or created or '', need, nonce }
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
