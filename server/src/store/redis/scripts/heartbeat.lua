-- Stores the time, which also proves that the store accepts writes, and reports whether the store is still the one
-- that the caller knows. If it is not, nothing is written.
--
-- KEYS[1] the state
-- KEYS[2] the secrets
-- KEYS[3] the API keys
-- KEYS[4] the audit trail
-- ARGV[1] the time to store, Unix ms
-- ARGV[2] the caller's wall clock, Unix ms; empty if the time is from another store
-- ARGV[3] how many ms a clock may differ from this server's for its time to be stored
-- ARGV[4] SHA-1 of the oldest secret that the caller knows; empty if it knows none yet
-- ARGV[5] the revision and ARGV[6] the floor as the caller last saw them: a store that is behind is an older copy
-- ARGV[7] how many ms the floor may be behind, as a crash of this server may lose the last seconds
-- ARGV[8] 1 when the caller serves requests
--
-- Returns { revision of keys and secrets, floor before this call, this server's clock, SHA-1 of the oldest secret or
-- empty, 1 if the state exists, 1 if the store is an older copy, number of API keys, number of entries of the
-- audit trail }, all as text.
local time = redis.call('TIME')
local server = time[1] * 1000 + math.floor(time[2] / 1000)
local layout, revision, floor = unpack(redis.call('HMGET', KEYS[1], 'layout', 'revision', 'floor'))
local last = redis.call('LINDEX', KEYS[2], -1)
local oldest = last and redis.sha1hex(last) or ''
revision, floor = tonumber(revision or 0), tonumber(floor or 0)
local isOlder = false
if layout and oldest ~= '' and (ARGV[4] == '' or ARGV[4] == oldest) then
  isOlder = revision < tonumber(ARGV[5]) or floor + ARGV[7] < tonumber(ARGV[6])
  if isOlder then
    -- A revision that no process has seen, so that all of them read keys and secrets again.
    revision = math.max(revision, tonumber(ARGV[5])) + 1
    redis.call('HSET', KEYS[1], 'revision', revision)
  end
  local isInStep = ARGV[2] == '' or math.abs(ARGV[2] - server) <= tonumber(ARGV[3])
  local isPast = tonumber(ARGV[1]) <= server + ARGV[3]
  local noted = isInStep and isPast and math.max(floor, tonumber(ARGV[1])) or floor
  redis.call('HSET', KEYS[1], 'floor', string.format('%.0f', noted))
  if ARGV[8] == '1' then
    redis.call('HSET', KEYS[1], 'served', string.format('%.0f', server))
  end
end
return {
  string.format('%.0f', revision), string.format('%.0f', floor), string.format('%.0f', server), oldest,
  layout and '1' or '0', isOlder and '1' or '0',
  string.format('%.0f', redis.call('HLEN', KEYS[3])), string.format('%.0f', redis.call('LLEN', KEYS[4])),
}
