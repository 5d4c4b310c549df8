-- The rules of session/association.ts. Put before each script that associates, after session.lua.
--
-- ARGV[8] scope, as in session.lua
-- ARGV[9] to ARGV[12] agent, customer, visit, global visit; empty where none is given

-- 'absent'; 'conflict' and which of the ids, from 0; or 'possible' and the sum of what would be added.
local function judge(session)
  if not isLive(session) or not isWithin(session, ARGV[8]) then
    return 'absent'
  end
  local added = 0
  for i = 0, 3 do
    local given, known = ARGV[9 + i], session[AGENT + i]
    if given ~= '' and known ~= '' and given ~= known then
      return 'conflict', i
    end
    if given ~= '' and known == '' then
      added = added + 2 ^ i
    end
  end
  return 'possible', added
end

-- Whether the id is among what is added, a sum of powers of two.
local function isAmong(added, i)
  return math.floor(added / 2 ^ i) % 2 == 1
end

-- Stores the session with what is added, as it is used now; gives its text.
local function associate(session, added)
  local last = recorded()
  if added > 0 then
    for i = 0, 3 do
      if isAmong(added, i) then
        session[AGENT + i] = ARGV[9 + i]
      end
    end
    session[PAST] = session[PAST] .. age .. ',' .. last .. ',' .. added .. ';'
  end
  use(session)
  save(session, last > 0)
  return text(session)
end
