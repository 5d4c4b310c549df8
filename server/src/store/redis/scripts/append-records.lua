-- Appends records to a session: entries <sequence>-<batch> of a stream, of which the newest are kept.
--
-- KEYS, ARGV[1] to ARGV[7] as in session.lua
-- ARGV[8] how many records are kept
-- ARGV[9] a number of the batch
-- ARGV[10] 1 when the batch may be there already
-- ARGV[11] and following: the records
--
-- Answers 1; 2 when nothing but records is stored of the session; 0 when the batch was there, or nothing
-- is told of the session any more.
local session, stored = find()
local ttl = keeping(session, true)
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
local before = recorded()
local count, cap = #ARGV - 10, tonumber(ARGV[8])
for i = math.max(1, count - cap + 1), count do
  local entry = string.format('%.0f-%s', before + i, ARGV[9])
  redis.call('XADD', KEYS[2], 'MAXLEN', '=', cap, entry, 'r', ARGV[10 + i])
end
redis.call('PEXPIRE', KEYS[2], ttl)
if stored then
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return stored and 1 or 2
