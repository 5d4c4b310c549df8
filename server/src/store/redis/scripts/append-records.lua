-- Appends a batch of records to a session, after the record that is set aside for it, if there is one. Each record
-- becomes a stream entry with the id <sequence>-<number of the batch>. If the session then has too many records, removes
-- the oldest. A batch without records only stores the record that is set aside.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[7] as in prelude/session.lua
-- KEYS[3] record that is set aside
-- KEYS[4] queue of notes
-- ARGV[8] maximum number of records to keep
-- ARGV[9] number of the batch
-- ARGV[10] '1' if the batch may be stored already; the script then looks for its number
-- ARGV[11..] records
-- Returns one of:
-- 1 if the batch was appended, or there was nothing to append
-- the note, if the batch was appended and nothing was stored of the session before, or it is published from now on
-- 0 if the batch is already stored, the session's retention is over, or the session was erased
local session, stored = load()
local ttl = timeToPurge(session, true)
if ttl <= 0 or session[STATE] == 'g' then
  return 0
end
if ARGV[10] == '1' then
  local to = '+'
  while to do
    local entries = redis.call('XREVRANGE', KEYS[2], to, '-', 'COUNT', 100)
    to = nil
    for _, entry in ipairs(entries) do
      if string.match(entry[1], '%d+$') == ARGV[9] then
        return 0
      end
      to = '(' .. entry[1]
    end
  end
end
local hadSetAside = storeSetAside(session, KEYS[3])
if #ARGV == 10 and not hadSetAside then
  return 1
end
local before = lastSequence()
local isFirst = before == 0 or hadSetAside and before == 1
local count, cap = #ARGV - 10, tonumber(ARGV[8])
for i = math.max(1, count - cap + 1), count do
  local entry = string.format('%.0f-%s', before + i, ARGV[9])
  redis.call('XADD', KEYS[2], 'MAXLEN', '=', cap, entry, 'r', ARGV[10 + i])
end
redis.call('PEXPIRE', KEYS[2], ttl)
if stored then
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return isFirst and noteFirstRecord(session, stored) or 1
