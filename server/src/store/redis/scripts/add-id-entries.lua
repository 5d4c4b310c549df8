-- Adds handles to an index of ids (index/index-entry.ts), except those of erased sessions.
--
-- KEYS[1] index: hash of an id -> its handles, one after the other
-- KEYS[2] handles of erased sessions
-- ARGV[1] time (ms) for which the index is needed at least
-- ARGV[2] maximum number of handles of an id
-- ARGV[3] pairs, one after the other: hash of an id (9 characters), handle (24); one text is received faster than many
-- Returns the positions (from 0) of the pairs whose ids have too many handles already; these pairs were not added
local sub, pairsText, maximum = string.sub, ARGV[3], ARGV[2] * 24
local count = #pairsText / 33
local hashes = {}
for i = 1, count do
  hashes[i] = sub(pairsText, 33 * i - 32, 33 * i - 24)
end
local stored = redis.call('HMGET', KEYS[1], unpack(hashes))
local hasErased = redis.call('EXISTS', KEYS[2]) == 1
local changed, full = {}, {}

-- Adds the handle of a pair to those of its id in `changed`. `handles` are those that the id has now.
local function add(i, handles)
  local handle = sub(pairsText, 33 * i - 23, 33 * i)
  if string.find(handles, handle, 1, true) or hasErased and redis.call('ZSCORE', KEYS[2], handle) then
    return
  end
  if #handles < maximum then
    changed[hashes[i]] = handles .. handle
  else
    full[#full + 1] = i - 1
  end
end

-- Stores `fields`, and then `changed`. Returns how many ids are new.
local function store(fields)
  for hash, handles in pairs(changed) do
    fields[#fields + 1] = hash
    fields[#fields + 1] = handles
  end
  return #fields > 0 and redis.call('HSET', KEYS[1], unpack(fields)) or 0
end

-- Most ids are new, and each is there once.
local fields = {}
for i = 1, count do
  if stored[i] or hasErased then
    add(i, changed[hashes[i]] or stored[i] or '')
  else
    fields[#fields + 1] = hashes[i]
    fields[#fields + 1] = sub(pairsText, 33 * i - 23, 33 * i)
  end
end
local isNew = #fields / 2
local isChanged = #fields > 0 or next(changed) ~= nil
if store(fields) < isNew then
  -- Several handles were of the same new id, which has only the last one now.
  changed = {}
  for i = 1, count do
    if not stored[i] then
      add(i, changed[hashes[i]] or redis.call('HGET', KEYS[1], hashes[i]))
    end
  end
  store({})
end
if isChanged and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return full
