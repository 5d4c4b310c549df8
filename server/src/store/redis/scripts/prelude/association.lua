-- Prelude: the rules of session/association.ts, after prelude/session.lua.
--
-- ARGV[8] scope (prelude/session.lua)
-- ARGV[9] to ARGV[12] agent, customer, visit, global visit; '' for an id that is not given

-- Returns 'absent'; 'conflict' and the position (from 0) of the id; or 'possible' and the bit set of ids to add.
local function check(session)
  if not isLive(session) or not isWithin(session, ARGV[8]) then
    return 'absent'
  end
  local added = 0
  for i = 0, 3 do
    local given, current = ARGV[9 + i], session[AGENT + i]
    if given ~= '' and current ~= '' and given ~= current then
      return 'conflict', i
    end
    if given ~= '' and current == '' then
      added = added + 2 ^ i
    end
  end
  return 'possible', added
end

local function hasBit(set, i)
  return math.floor(set / 2 ^ i) % 2 == 1
end

-- Adds the ids of the bit set, renews and stores the session; returns its text.
local function associate(session, added)
  local last = lastSequence()
  if added > 0 then
    for i = 0, 3 do
      if hasBit(added, i) then
        session[AGENT + i] = ARGV[9 + i]
      end
    end
    session[HISTORY] = session[HISTORY] .. age .. ',' .. last .. ',' .. added .. ';'
  end
  renew(session)
  save(session, last > 0)
  return encode(session)
end
