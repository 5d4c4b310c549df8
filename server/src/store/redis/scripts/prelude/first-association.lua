-- Prelude of associate-ids.lua: stores a session of which nothing is stored, with its first ids. The caller has computed
-- what there is to store, so the rules are not needed. Comes before the other preludes, because declaring their functions
-- takes longer than this step.
--
-- KEYS, ARGV and the returned values as in associate-ids.lua
if ARGV[3] ~= '' and redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) == 0 then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return { 'first', redis.call('XADD', KEYS[#KEYS], '*', '', ARGV[5]) }
end
-- The arguments of the rules came as one text, as receiving many words takes longer than this step too.
local nonce, fenceLife, facts = ARGV[1], ARGV[2], ARGV[6]
local ARGV = {}
for line in string.gmatch(facts .. '\n', '([^\n]*)\n') do
  ARGV[#ARGV + 1] = line
end
