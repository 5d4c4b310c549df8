-- Associates ids with a session, claims its visit and enters it in the indices: claim.lua, index.lua and
-- associate.lua in one, where one server has all keys.
--
-- KEYS[1], KEYS[2], ARGV[1] to ARGV[12] as in session.lua and association.lua
-- KEYS[3] the visit, or the session once more where none is given
-- KEYS[4] what is there when the attempt is barred, or the session once more
-- KEYS[5] the part of all sessions
-- KEYS[6] and following: the index of each id that is given, in the order of ARGV[9] to ARGV[12]
-- ARGV[13] 'id nonce ' of the claim, empty where no visit is given
-- ARGV[14] for how long (ms) the claim is kept, ARGV[15] the bar
-- ARGV[16] to ARGV[19] as ARGV[1] to ARGV[4] of index.lua
--
-- Answers as associate.lua does, with a `has` of 0; { 'unprepared', session or false } when somebody else has a
-- claim of the visit, and nothing is changed then.
local session, stored = find()
local outcome, detail = judge(session)
if outcome ~= 'possible' then
  return { outcome, 0, detail }
end
if detail == 0 and not isRenewalDue(session) then
  return { 'associated', stored }
end
if isAmong(detail, VISIT - AGENT) and not claimAtOnce(KEYS[3], KEYS[4], ARGV[13], ARGV[14], ARGV[15]) then
  return { 'unprepared', stored }
end
if not stored then
  enter(KEYS[5], ARGV[16], ARGV[17], ARGV[18], ARGV[19])
end
local index = 6
for i = 0, 3 do
  if ARGV[9 + i] ~= '' then
    if isAmong(detail, i) then
      enter(KEYS[index], ARGV[16], ARGV[17], ARGV[18], ARGV[19])
    end
    index = index + 1
  end
end
return { 'associated', associate(session, detail) }
