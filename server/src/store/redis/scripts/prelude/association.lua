-- Prelude: the rules for associating ids, replacing profile and label, and rotating the session's id, as in
-- session/association.ts. Needs prelude/session.lua and prelude/notes.lua before it.
--
-- ARGV[8] scope, as for isWithin in prelude/session.lua
-- ARGV[9] generation of the caller's id
-- ARGV[10] nonce of the rotation; '' if the session's id is not to be rotated
-- ARGV[11] hashes of the given ids for index entries (`indexHashes` in index/index-entry.ts)
-- The last arguments are the ids in the order of session/fields.ts, profile and label; '' for what is not given
local given = { [PROFILE] = ARGV[#ARGV - 1], [LABEL] = ARGV[#ARGV] }
for i, line in ipairs(ID_LINES) do
  given[line] = ARGV[#ARGV - 2 - #ID_LINES + i]
end
local expected, rotation = tonumber(ARGV[9]), ARGV[10]
local rotates = rotation ~= ''

-- Checks whether the given ids can be associated with the session, and its id be rotated. Returns one of:
-- 'absent' if the session is not live, not in the scope, or has another generation
-- 'done' if this rotation was carried out already, because the command was sent twice
-- 'conflict' and the position (from 0) of the first id that already has another value
-- 'rotation-limit' if the session has the last generation
-- 'possible' and the bit set of the ids to add; bit 0 is the agent
local function check(session)
  local generation, nonce = generationOf(session)
  if not isLive(session) then
    return 'absent'
  end
  if rotates and generation == expected + 1 and nonce == rotation then
    return 'done'
  end
  if not isWithin(session, ARGV[8]) or generation ~= expected then
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
  if rotates and generation == MAX_GENERATION then
    return 'rotation-limit'
  end
  return 'possible', added
end

-- Returns whether the given profile or label differs from that of the session.
local function replacesTraits(session)
  for line = PROFILE, LABEL do
    if given[line] ~= '' and given[line] ~= session[line] then
      return true
    end
  end
  return false
end

local function hasBit(set, bit)
  return math.floor(set / bit) % 2 == 1
end

-- Returns the hashes of the ids in the bit set `added`.
local function hashesOf(added)
  local hashes, width = '', #ARGV[11] / #ID_LINES
  for i in ipairs(ID_LINES) do
    if hasBit(added, ID_BITS[i]) then
      hashes = hashes .. string.sub(ARGV[11], (i - 1) * width + 1, i * width)
    end
  end
  return hashes
end

-- Adds the ids in the bit set `added` to the session, replaces its profile and label, rotates and renews it, and stores
-- it. `stored` is its text before; `hasNewRecord` is whether the record that was set aside has just been stored. Returns
-- its text, and the note of the change, or false if there is nothing to note.
local function associate(session, stored, added, hasNewRecord)
  local last = lastSequence()
  local expired, hadData = session[EXPIRES], hasIds(session) or session[DATA] or last > (hasNewRecord and 1 or 0)
  for i, line in ipairs(ID_LINES) do
    if hasBit(added, ID_BITS[i]) then
      session[line] = given[line]
    end
  end
  if rotates then
    session[GENERATION] = expected + 1 .. ' ' .. rotation
  end
  if replacesTraits(session) then
    for line = LAST_LINE + 1, LABEL do
      session[line] = session[line] or ''
    end
    for line = PROFILE, LABEL do
      if given[line] ~= '' then
        session[line] = given[line]
      end
    end
  end
  local event = added + (rotates and ROTATION_BIT or 0)
  if event > 0 then
    session[HISTORY] = session[HISTORY] .. age .. ',' .. last .. ',' .. event .. ';'
  end
  renew(session)
  local text = save(session, last > 0)
  local noted = event + (stored and 0 or CREATED_BIT)
  if publishes then
    noted = noted + (not hadData and (added > 0 or hasNewRecord) and PUBLISHED_BIT or 0)
    noted = noted + (session[EXPIRES] < expired and EARLIER_BIT or 0)
  end
  return text, noted > 0 and writeNote(session, noted, hashesOf(added))
end
