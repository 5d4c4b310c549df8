-- Stores the time, which proves that the store accepts writes, and reports whether the store is the one that the
-- caller knows. If it is not, writes nothing.
--
-- KEYS[1] state, KEYS[2] secrets, KEYS[3] API keys, KEYS[4] audit trail
-- ARGV[1] time to store (Unix ms)
-- ARGV[2] wall clock of the caller (Unix ms); '' if the time comes from another store
-- ARGV[3] maximum ms by which a clock may differ from this server's for its time to be stored
-- ARGV[4] SHA-1 of the oldest secret that the caller knows; '' for none yet
-- ARGV[5] revision, ARGV[6] clock high-water mark that the caller last saw: a store that is behind is an older copy
-- ARGV[7] ms by which the mark may be behind, since a crash of this server may lose the last seconds
-- ARGV[8] '1' if the caller serves requests
-- Returns { revision of keys and secrets, clock high-water mark before this call, this server's clock, SHA-1 of the
-- oldest secret or '', '1' if the state exists, '1' if the store is an older copy, number of API keys, number of audit
-- entries }, all as text
local time = redis.call('TIME')
local server = time[1] * 1000 + math.floor(time[2] / 1000)
local layout, revision, mark = unpack(redis.call('HMGET', KEYS[1], 'layout', 'revision', 'floor'))
local last = redis.call('LINDEX', KEYS[2], -1)
local oldest = last and redis.sha1hex(last) or ''
revision, mark = tonumber(revision or 0), tonumber(mark or 0)
local isOlder = false
if layout and oldest ~= '' and (ARGV[4] == '' or ARGV[4] == oldest) then
  isOlder = revision < tonumber(ARGV[5]) or mark + ARGV[7] < tonumber(ARGV[6])
  if isOlder then
    -- A revision that no process has seen makes all of them read keys and secrets again.
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
}
