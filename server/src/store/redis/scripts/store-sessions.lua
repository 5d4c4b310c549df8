-- Stores sessions of which nothing is stored yet, many in one call: new ones, or implicit ones with their first ids. Also
-- claims their visits. If something is stored of a session that was implicit, associates the ids by the rules. Needs all
-- keys in one slot or on one server, and prelude/claim-combined.lua and associateByRules (associate-ids-combined.lua) before it.
--
-- KEYS[1], ARGV[1], ARGV[2] as in prelude/claim-combined.lua
-- KEYS[2] queue of notes
-- KEYS[3..] for each session, ARGV[4] of them: session, claim of the visit (without a visit the session again), and for
-- implicit sessions also records, record that is set aside; if associateByRules has returned 'data' before, also data
-- ARGV[3] lifetime of a fence (ms)
-- ARGV[5] to ARGV[9] only for implicit sessions: as ARGV[3] to ARGV[7] in prelude/session.lua
-- The rest of ARGV for each session: its text, or '' if the rules must be applied, the time until it is purged (ms), and its
-- note; for implicit sessions also lines with the other arguments of associateByRules, in their order
-- Returns the id of the note about all sessions, if all are stored now. Otherwise returns that id, or '' if none are
-- stored now, and for each session one of:
-- 'stored'
-- 'stored-before' because the command was sent twice
-- 'occupied' if something else is stored of a new session; nothing was changed
-- 'claimed' if another session has claimed the visit or this attempt is fenced; the attempt is now fenced, and nothing
-- else was changed
-- the return value of associateByRules; after 'unclaimed' the attempt is fenced
-- Fails, and changes nothing, if Redis takes no changes.
local width = tonumber(ARGV[4])
local isNew = width == 2
local firstArg, step = isNew and 5 or 10, isNew and 3 or 4
local count = (#KEYS - 2) / width
local notes, outcomes, refused = {}, {}, false

-- Returns whether there are no records, nor any that are set aside, of the sessions with these first keys.
local function areBare(first, last)
  local names = {}
  for key = first, last, width do
    names[#names + 1] = KEYS[key + 2]
    names[#names + 1] = KEYS[key + 3]
  end
  return redis.call('EXISTS', unpack(names)) == 0
end
local allBare = isNew or areBare(3, #KEYS)

-- Stores the session with these first key and argument, if nothing is stored of it. Returns the error if Redis takes no
-- changes; then nothing was changed before either.
local function store(key, arg)
  local session, visit, text, note = KEYS[key], KEYS[key + 1], ARGV[arg], ARGV[arg + 2]
  if text == '' or not (allBare or areBare(key, key)) then
    return 'occupied'
  end
  local isClaimed, isFirst = not isFenced, false
  if isClaimed and visit ~= session then
    isClaimed, isFirst = claim(visit, string.sub(note, 1, 24))
  end
  -- Commands about the session fail if its key has a value of another type.
  if not isClaimed then
    return redis.pcall('GET', session) == text and 'stored-before' or 'claimed'
  end
  local stored = redis.pcall('SET', session, text, 'PX', ARGV[arg + 1], 'NX', 'GET')
  if not stored then
    notes[#notes + 1] = note
    return 'stored'
  end
  if stored == text then
    return 'stored-before'
  end
  -- Without memory, for example, Redis refuses the first change of a script. Later ones it never refuses for such reasons.
  local isRefused = type(stored) == 'table' and not string.find(stored.err, 'WRONGTYPE', 1, true)
  if isRefused and #notes == 0 and not isFirst then
    return stored
  end
  if isFirst then
    redis.call('DEL', visit)
  end
  return 'occupied'
end

local function byRules(key, facts)
  local args = {}
  for line in string.gmatch(facts .. '\n', '([^\n]*)\n') do
    args[#args + 1] = line
    if #args == 2 then
      for i = 5, 9 do
        args[#args + 1] = ARGV[i]
      end
    end
  end
  local keys = { KEYS[key], KEYS[key + 2], KEYS[key + 1], KEYS[key + 3] }
  if width == 5 then
    keys[5] = KEYS[key + 4]
  end
  keys[#keys + 1] = KEYS[2]
  return associateByRules(keys, args)
end

for i = 1, count do
  local outcome = store(3 + (i - 1) * width, firstArg + (i - 1) * step)
  if type(outcome) == 'table' then
    return outcome
  end
  outcomes[i + 1] = outcome
end
local id = #notes > 0 and redis.call('XADD', KEYS[2], '*', '', table.concat(notes, '\n')) or ''
if #notes == count then
  return id
end
outcomes[1] = id
-- The rules write notes too, which follow those above: some may be about the same sessions.
for i = 1, count do
  local outcome = outcomes[i + 1]
  if outcome == 'occupied' and not isNew then
    outcome = byRules(3 + (i - 1) * width, ARGV[13 + (i - 1) * step])
    outcomes[i + 1] = outcome
  end
  refused = refused or outcome == 'claimed' or outcome[1] == 'unclaimed'
end
if refused then
  redis.call('SET', KEYS[1], '', 'PX', ARGV[3])
end
return outcomes
