-- Reads handles from the indexes of a shard, newest first, and may count them. All handles are as they are in indexes.
--
-- KEYS sorted sets of handles, one for each day, newest first; then, for handles of an id, as many indexes of ids
-- ARGV[1] hash of the id; '' for handles of all sessions
-- ARGV[2], ARGV[3] bounds of the handles: exclusive upper, inclusive lower
-- ARGV[4] maximum number of handles to read
-- ARGV[5] inclusive lower bound of the handles to count; '-' not to count
-- Returns { number of counted handles, { handle, ... } }
local before, from, left = ARGV[2], ARGV[3], tonumber(ARGV[4])
local days = ARGV[1] == '' and #KEYS or #KEYS / 2
local count, found = 0, {}

-- Adds the inline handles of an id on a day to `handles`, and counts them.
local function addInline(handles, day)
  local inline = redis.call('HGET', KEYS[days + day], ARGV[1]) or ''
  for handle in string.gmatch(inline, string.rep('.', 24)) do
    if handle < before and handle >= from then
      handles[#handles + 1] = handle
    end
    if ARGV[5] ~= '-' and handle >= ARGV[5] then
      count = count + 1
    end
  end
  table.sort(handles, function(a, b) return a > b end)
end

for day = 1, days do
  if left > 0 or ARGV[5] ~= '-' then
    local handles = left > 0
      and redis.call('ZREVRANGEBYLEX', KEYS[day], '(' .. before, '[' .. from, 'LIMIT', 0, left) or {}
    if ARGV[1] ~= '' then
      addInline(handles, day)
    end
    for i = 1, math.min(left, #handles) do
      found[#found + 1] = handles[i]
    end
    left = left - math.min(left, #handles)
    if ARGV[5] ~= '-' then
      count = count + redis.call('ZLEXCOUNT', KEYS[day], '[' .. ARGV[5], '+')
    end
  end
end
return { count, found }
