-- Stores the time, which also proves that the store accepts writes. Returns the data by which the caller recognizes its
-- store. Writes nothing if the state or the secrets are missing, or if this is not the store that the caller knows.
--
-- KEYS[1] state, KEYS[2] secrets, KEYS[3] API keys, KEYS[4] audit trail
-- ARGV[1] time to store (Unix ms)
-- ARGV[2] wall clock of the caller (Unix ms); '' if the time to store comes from another store
-- ARGV[3] tolerance (ms): the time is stored only if the caller's wall clock differs from this server's clock by at
-- most this, and if the time is ahead of this server's clock by at most this
-- ARGV[4] SHA-1 of the oldest secret that the caller knows; '' if the caller knows none yet
-- ARGV[5], ARGV[6] revision and clock high-water mark that the caller saw last; if the stored values are behind these,
-- the store is an older copy
-- ARGV[7] time (ms) by which the mark may be behind in the same store, because a crash of Redis may lose the last
-- seconds
-- ARGV[8] '1' if the caller serves requests
-- Returns as text: { revision of API keys and secrets, clock high-water mark before this call, this server's clock,
-- SHA-1 of the oldest secret or '', '1' if the state exists, '1' if the store is an older copy, number of API keys,
-- number of audit entries, '1' if all shards have markers, time of the last loss of shards or '0', time of the last loss
-- that is repaired or '0', progress of the repair or '' }
local time = redis.call('TIME')
local server = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'layout', 'revision', 'floor', 'marked', 'lost', 'repaired', 'repair')
local layout, revision, mark, marked, lost, repaired, repair = unpack(state)
local last = redis.call('LINDEX', KEYS[2], -1)
local oldest = last and redis.sha1hex(last) or ''
revision, mark = tonumber(revision or 0), tonumber(mark or 0)
local isOlder = false
if layout and oldest ~= '' and (ARGV[4] == '' or ARGV[4] == oldest) then
  isOlder = revision < tonumber(ARGV[5]) or mark + ARGV[7] < tonumber(ARGV[6])
  if isOlder then
    -- No process has seen this revision, so all processes read API keys and secrets again.
    revision = math.max(revision, tonumber(ARGV[5])) + 1
    redis.call('HSET', KEYS[1], 'revision', revision)
  end
  local isInStep = ARGV[2] == '' or math.abs(ARGV[2] - server) <= tonumber(ARGV[3])
  local isPast = tonumber(ARGV[1]) <= server + ARGV[3]
  local advanced = isInStep and isPast and math.max(mark, tonumber(ARGV[1])) or mark
  redis.call('HSET', KEYS[1], 'floor', string.format('%.0f', advanced))
  if ARGV[8] == '1' then
    redis.call('HSET', KEYS[1], 'served', string.format('%.0f', server))
  end
end
return {
  string.format('%.0f', revision), string.format('%.0f', mark), string.format('%.0f', server), oldest,
  layout and '1' or '0', isOlder and '1' or '0',
  string.format('%.0f', redis.call('HLEN', KEYS[3])), string.format('%.0f', redis.call('LLEN', KEYS[4])),
  marked or '0', lost or '0', repaired or '0', repair or '',
}
