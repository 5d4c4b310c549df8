-- Adds handles to an index of ids (index/index-entry.ts), except those of erased sessions.
--
-- KEYS[1] index: hash of an id -> its handles, one after the other
-- KEYS[2] handles of erased sessions
-- ARGV[1] time (ms) for which the index is needed at least
-- ARGV[2] maximum number of handles of an id
-- ARGV[3..] pairs: hash of an id, handle
-- Returns the positions (from 0, in ARGV[3..]) of the pairs whose ids have too many handles already; these pairs were
-- not added
local hasErased = redis.call('EXISTS', KEYS[2]) == 1
local maximum = ARGV[2] * 24
local hashes = {}
for i = 3, #ARGV, 2 do
  hashes[#hashes + 1] = ARGV[i]
end
local stored = redis.call('HMGET', KEYS[1], unpack(hashes))
local changed, full = {}, {}
for i, hash in ipairs(hashes) do
  local handles, handle = changed[hash] or stored[i] or '', ARGV[2 * i + 2]
  local isKnown = handles ~= '' and string.find(handles, handle, 1, true)
  local isErased = hasErased and redis.call('ZSCORE', KEYS[2], handle)
  if not isKnown and not isErased then
    if #handles < maximum then
      changed[hash] = handles .. handle
    else
      full[#full + 1] = 2 * i - 2
    end
  end
end
local fields = {}
for hash, handles in pairs(changed) do
  fields[#fields + 1] = hash
  fields[#fields + 1] = handles
end
if #fields > 0 then
  redis.call('HSET', KEYS[1], unpack(fields))
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
  end
end
return full
