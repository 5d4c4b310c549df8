-- Associates ids with a session, and tells whether its attempt may have the visit.
--
-- KEYS, ARGV[1] to ARGV[12] as in session.lua and association.lua
-- KEYS[3] what is there when the attempt is barred
-- ARGV[13] nonce of the claim of the visit; empty when none was made
-- ARGV[14] for how long (ms) an attempt is barred
-- ARGV[15] 1 when everything is prepared: the indices have the ids, and the visit is claimed
--
-- Answers { 'associated', session }; { 'conflict', has, which of the ids, from 0 }; { 'absent', has };
-- { 'unprepared', session or false } where ids would be added; { 'barred' }. Where it refuses, the attempt is
-- barred, unless the session has the visit: then `has` is 1, else 0.
local session, stored = find()
local outcome, detail = judge(session)
if outcome ~= 'possible' then
  local has = session[VISIT] == ARGV[11]
  if ARGV[13] ~= '' and not has then
    redis.call('SET', KEYS[3], '', 'PX', ARGV[14])
  end
  return { outcome, has and 1 or 0, detail }
end
if detail == 0 and not isRenewalDue(session) then
  return { 'associated', stored }
end
if detail > 0 and ARGV[15] ~= '1' then
  return { 'unprepared', stored }
end
if ARGV[11] ~= '' and session[VISIT] == '' and redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'barred' }
end
return { 'associated', associate(session, detail) }
