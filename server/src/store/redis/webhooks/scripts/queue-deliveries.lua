-- Appends deliveries to the queue of an endpoint. If the same call was carried out before, does nothing more.
--
-- ARGV[1] epoch, ARGV[2] erasures, ARGV[3] 1 if the cursor changes, ARGV[4] the cursor, ARGV[5] now,
-- ARGV[6]... for each: event id, type, handle or "", 1 if it is urgent, body
-- Returns the sequences; false if nothing was queued
local state = redis.call('HMGET', STATE, 'epoch', 'erasures', 'sequence', 'last', 'removed')
if state[5] or tonumber(state[1] or 0) > tonumber(ARGV[1]) or (state[2] or '0') ~= ARGV[2] then
  return false
end
local now = tonumber(ARGV[5])
local sequence = tonumber(state[3] or 0)
local count = (#ARGV - 5) / 5
local sequences = {}
if count > 0 and state[4] == ARGV[#ARGV - 4] then
  for i = 1, count do
    sequences[i] = tostring(sequence - count + i)
  end
  return sequences
end
for i = 6, #ARGV, 5 do
  sequence = sequence + 1
  local handle = ARGV[i + 2] ~= '' and ARGV[i + 2] or cjson.null
  local due_at = ARGV[i + 3] == '1' and 0 or now
  if handle ~= cjson.null then
    if first_pending(handle) then
      due_at = cjson.null
    end
    add_to_session(handle, sequence)
  end
  local delivery = {
    eventId = ARGV[i],
    type = ARGV[i + 1],
    handle = handle,
    state = 'pending',
    attempts = 0,
    queuedAt = now,
    finishedAt = cjson.null,
    lastAttempt = cjson.null,
  }
  redis.call('ZADD', OF_STATE.pending, sequence, sequence)
  redis.call('HSET', BODIES, sequence, ARGV[i + 4])
  set_due(sequence, delivery, due_at)
  write(sequence, delivery)
  sequences[#sequences + 1] = tostring(sequence)
end
if count > 0 then
  redis.call('HSET', STATE, 'sequence', sequence, 'last', ARGV[#ARGV - 4])
end
if ARGV[3] == '1' then
  redis.call('HSET', STATE, 'epoch', ARGV[1], 'cursor', ARGV[4])
end
return sequences
