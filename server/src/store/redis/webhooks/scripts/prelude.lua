-- Functions of the scripts on the queue of an endpoint. The keys of a queue share a slot:
--
-- KEYS[1] state, KEYS[2] deliveries, KEYS[3] bodies, KEYS[4] due, KEYS[5] sessions,
-- KEYS[6] pending, KEYS[7] delivered, KEYS[8] failed
local STATE, DELIVERIES, BODIES, DUE, SESSIONS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local OF_STATE = { pending = KEYS[6], delivered = KEYS[7], failed = KEYS[8] }

local function read(sequence)
  local text = redis.call('HGET', DELIVERIES, sequence)
  return text and cjson.decode(text)
end

local function write(sequence, delivery)
  redis.call('HSET', DELIVERIES, sequence, cjson.encode(delivery))
end

local function move(sequence, delivery, to)
  if delivery.state ~= to then
    redis.call('ZREM', OF_STATE[delivery.state], sequence)
    redis.call('ZADD', OF_STATE[to], sequence, sequence)
    delivery.state = to
  end
end

-- Sets when a pending delivery is due: a time in Unix ms, or cjson.null
local function set_due(sequence, delivery, due_at)
  delivery.dueAt = due_at
  if due_at == cjson.null then
    redis.call('ZREM', DUE, sequence)
  else
    redis.call('ZADD', DUE, due_at, sequence)
  end
end

-- Returns the sequences of all deliveries of a session, in order
local function of_session(handle)
  local members = redis.call('ZRANGE', SESSIONS, '[' .. handle .. ':', '(' .. handle .. ';', 'BYLEX')
  local sequences = {}
  for i, member in ipairs(members) do
    sequences[i] = tostring(tonumber(member:sub(#handle + 2)))
  end
  return sequences
end

-- Returns the oldest pending delivery of a session
local function first_pending(handle)
  for _, sequence in ipairs(of_session(handle)) do
    if redis.call('ZSCORE', OF_STATE.pending, sequence) then
      return sequence, read(sequence)
    end
  end
end

-- Adds a delivery to the sessions. Numbers of equal length sort like texts
local function add_to_session(handle, sequence)
  redis.call('ZADD', SESSIONS, 0, string.format('%s:%012d', handle, sequence))
end

local function remove(sequence, delivery)
  redis.call('HDEL', DELIVERIES, sequence)
  redis.call('HDEL', BODIES, sequence)
  redis.call('ZREM', DUE, sequence)
  redis.call('ZREM', OF_STATE[delivery.state], sequence)
  if delivery.handle ~= cjson.null then
    redis.call('ZREM', SESSIONS, string.format('%s:%012d', delivery.handle, sequence))
  end
end

-- Finishes a delivery, and makes the next one of its session due
local function finish(sequence, delivery, state, now)
  local was_pending = delivery.state == 'pending'
  move(sequence, delivery, state)
  set_due(sequence, delivery, cjson.null)
  delivery.finishedAt = now
  write(sequence, delivery)
  if not was_pending or delivery.handle == cjson.null then
    return
  end
  local next, waiting = first_pending(delivery.handle)
  if next and waiting.dueAt == cjson.null then
    set_due(next, waiting, now)
    write(next, waiting)
  end
end
