-- Prelude of associate-ids-combined.lua: as prelude/first-association.lua, and claims the visit. Needs prelude/claim-combined.lua
-- before it.
--
-- KEYS, ARGV and the returned values as in associate-ids-combined.lua
if ARGV[15] ~= '' and redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[5]) == 0 then
  if not claimCombined(KEYS[3], KEYS[4], ARGV[12], ARGV[13], ARGV[14]) then
    return { 'unclaimed' }
  end
  redis.call('SET', KEYS[1], ARGV[15], 'PX', ARGV[16])
  return { 'first', redis.call('XADD', KEYS[#KEYS], '*', '', ARGV[17]) }
end
