-- Prelude: the rules of session/association.ts, after prelude/session.lua.
--
-- ARGV[8] scope (prelude/session.lua)
-- The last arguments: the ids in the order of session/fields.ts; '' for an id that is not given
local given = {}
for i, line in ipairs(ID_LINES) do
  given[line] = ARGV[#ARGV - #ID_LINES + i]
end

-- Returns 'absent'; 'conflict' and the position (from 0) of the id; or 'possible' and the bit set of ids to add.
local function check(session)
  if not isLive(session) or not isWithin(session, ARGV[8]) then
    return 'absent'
  end
  local added = 0
  for i, line in ipairs(ID_LINES) do
    local id, current = given[line], session[line]
    if id ~= '' and current ~= '' and id ~= current then
      return 'conflict', i - 1
    end
    if id ~= '' and current == '' then
      added = added + ID_BITS[i]
    end
  end
  return 'possible', added
end

local function hasBit(set, bit)
  return math.floor(set / bit) % 2 == 1
end

-- Adds the ids of the bit set, renews and stores the session; returns its text.
local function associate(session, added)
  local last = lastSequence()
  if added > 0 then
    for i, line in ipairs(ID_LINES) do
      if hasBit(added, ID_BITS[i]) then
        session[line] = given[line]
      end
    end
    session[HISTORY] = session[HISTORY] .. age .. ',' .. last .. ',' .. added .. ';'
  end
  renew(session)
  save(session, last > 0)
  return encode(session)
end
