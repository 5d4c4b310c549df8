-- Associates ids with a session: session/association.ts, and whether its attempt may have the visit.
--
-- KEYS, ARGV[1] to ARGV[7] as in session.lua
-- KEYS[3] what is there when the attempt is barred
-- ARGV[8] scope, as in session.lua
-- ARGV[9] to ARGV[12] agent, customer, visit, global visit; empty where none is given
-- ARGV[13] nonce of the claim of the visit; empty when none was made
-- ARGV[14] for how long (ms) an attempt is barred
-- ARGV[15] 1 when everything is prepared: the indices have the ids, and the visit is claimed
--
-- Answers { 'associated', session }; { 'conflict', has, which of the ids, from 0 }; { 'absent', has };
-- { 'unprepared', session or false } where ids would be added; { 'barred' }. Where it refuses, the attempt is
-- barred, unless the session has the visit: then `has` is 1, else 0.
local session, stored = find()

local function refuse(why, which)
  local has = session[VISIT] == ARGV[11]
  if ARGV[13] ~= '' and not has then
    redis.call('SET', KEYS[3], '', 'PX', ARGV[14])
  end
  return { why, has and 1 or 0, which }
end

if not isLive(session) or not isWithin(session, ARGV[8]) then
  return refuse('absent')
end
local added = 0
for i = 0, 3 do
  local given, known = ARGV[9 + i], session[AGENT + i]
  if given ~= '' and known ~= '' and given ~= known then
    return refuse('conflict', i)
  end
  if given ~= '' and known == '' then
    added = added + 2 ^ i
  end
end

if added == 0 and not isRenewalDue(session) then
  return { 'associated', stored }
end
if added > 0 and ARGV[15] ~= '1' then
  return { 'unprepared', stored }
end
if ARGV[11] ~= '' and session[VISIT] == '' and redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'barred' }
end
if added > 0 then
  for i = 0, 3 do
    if ARGV[9 + i] ~= '' then
      session[AGENT + i] = ARGV[9 + i]
    end
  end
  session[PAST] = session[PAST] .. age .. ',' .. recorded() .. ',' .. added .. ';'
end
use(session)
save(session)
return { 'associated', text(session) }
