-- Removes outdated handles from a part of an index of ids, and from the overflows of these ids.
--
-- KEYS[1] index of ids; the names of the overflows, which are in the same slot, begin with it and a colon
-- ARGV[1] bound: handles that sort before it are outdated
-- ARGV[2] cursor of HSCAN
-- Returns the next cursor; '0' at the end
local cursor, found = unpack(redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', 64))
for i = 1, #found, 2 do
  local field, handles, kept = found[i], found[i + 1], {}
  for handle in string.gmatch(handles, string.rep('.', 24)) do
    if handle >= ARGV[1] then
      kept[#kept + 1] = handle
    end
  end
  local overflow = KEYS[1] .. ':' .. field
  local outdated = redis.call('ZRANGEBYLEX', overflow, '-', '(' .. ARGV[1], 'LIMIT', 0, 256)
  if #outdated > 0 then
    redis.call('ZREM', overflow, unpack(outdated))
  end
  -- The id stays until its overflow is empty, otherwise nobody would find the overflow.
  if #kept == 0 and redis.call('EXISTS', overflow) == 0 then
    redis.call('HDEL', KEYS[1], field)
  elseif #kept * 24 < #handles and #kept > 0 then
    redis.call('HSET', KEYS[1], field, table.concat(kept))
  end
end
return cursor
