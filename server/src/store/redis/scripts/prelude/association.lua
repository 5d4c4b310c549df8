-- Prelude: the rules for associating ids, as in session/association.ts. Needs prelude/session.lua before it.
--
-- ARGV[8] scope, as for isWithin in prelude/session.lua
-- The last arguments are the ids in the order of session/fields.ts; '' for an id that is not given
local given = {}
for i, line in ipairs(ID_LINES) do
  given[line] = ARGV[#ARGV - #ID_LINES + i]
end

-- Checks whether the given ids can be associated with the session. Returns one of:
-- 'absent' if the session is not live or not in the scope
-- 'conflict' and the position (from 0) of the first id that already has another value
-- 'possible' and the bit set of the ids to add; bit 0 is the agent
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

-- Adds the ids in the bit set `added` to the session, renews the session and stores it. Returns its text.
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
