-- Prelude: the rules of lifetime and retention, for scripts that use a session. The same rules are in
-- session/lifetime.ts and session/retention.ts. The tests in server/test/session/lifetime-vectors.ts run on both.
--
-- KEYS[1] session, KEYS[2] its records
-- ARGV[1] now, ARGV[2] creation time of the session (Unix ms)
-- ARGV[3], ARGV[4] idle time and total lifetime of anonymous sessions (ms)
-- ARGV[5], ARGV[6] idle time and total lifetime of recognized sessions (ms)
-- ARGV[7] retention (ms), '!' if events are published, and after it ' name=idle/total' (ms) for each profile
local createdAt = tonumber(ARGV[2])
local age = tonumber(ARGV[1]) - createdAt
local idle = { tonumber(ARGV[3]), tonumber(ARGV[5]) }
local total = { tonumber(ARGV[4]), tonumber(ARGV[6]) }
local retention = tonumber(string.match(ARGV[7], '^%d+'))
local publishes = string.find(ARGV[7], '^%d+!') ~= nil

-- Positions of the lines in a stored session (layout/session-codec.ts). Times are ms since the session's creation.
local ACTIVE, EXPIRES, STATE = 1, 2, 3
-- (scripts.ts inserts the other constants here)

-- Returns the idle time and the total lifetime of the session (ms). A profile that is not in ARGV[7] counts like none.
local function lifetimeOf(session)
  local profile = session[PROFILE] or ''
  if profile ~= '' then
    local _, name = string.find(ARGV[7], ' ' .. profile .. '=', 1, true)
    if name then
      local ofIdle, ofTotal = string.match(ARGV[7], '^(%d+)/(%d+)', name + 1)
      return tonumber(ofIdle), tonumber(ofTotal)
    end
  end
  local kind = (session[AGENT] ~= '' or session[CUSTOMER] ~= '') and 2 or 1
  return idle[kind], total[kind]
end

-- Key of the session's data. A script sets it before it calls `save` for a session that may have data.
local dataKey

-- Adds the lines that the stored text does not have, as empty lines, up to LAST_LINE. The lines after it exist only if
-- they or a later one have content.
local function complete(session)
  for line = #session + 1, LAST_LINE do
    session[line] = ''
  end
  return session
end

-- Returns the session with the key `name` (KEYS[1] by default) and its stored text. If nothing is stored, returns the
-- implicit session and false.
local function load(name)
  local text = redis.call('GET', name or KEYS[1])
  if not text then
    return complete({ 0, math.min(idle[1], total[1]) }), false
  end
  local session = {}
  for line in string.gmatch(text .. '\n', '([^\n]*)\n') do
    session[#session + 1] = line
  end
  session[ACTIVE], session[EXPIRES] = tonumber(session[ACTIVE]), tonumber(session[EXPIRES])
  return complete(session), text
end

local function isLive(session)
  return session[STATE] == '' and age < session[EXPIRES]
end

-- Returns whether the session is in the scope. The scope is one of:
-- '*' all sessions
-- '=<customer>' sessions of this customer and sessions without a customer
-- '-' sessions without a customer
local function isWithin(session, scope)
  local owner = session[CUSTOMER]
  return owner == '' or scope == '*' or scope == '=' .. owner
end

-- Returns the generation of the session's id, and the nonce of the last rotation: 0 and '' if there was no rotation.
local function generationOf(session)
  local generation, nonce = string.match(session[GENERATION] or '', '^(%d+) ?(.*)$')
  return tonumber(generation or 0), nonce or ''
end

local function isRenewalDue(session)
  local ofIdle, ofTotal = lifetimeOf(session)
  return age - session[ACTIVE] >= ofIdle * (1 / 10) and session[EXPIRES] < ofTotal
end

local function renew(session)
  session[ACTIVE] = math.max(session[ACTIVE], age)
  local ofIdle, ofTotal = lifetimeOf(session)
  session[EXPIRES] = math.min(session[ACTIVE] + ofIdle, ofTotal)
end

local function hasIds(session)
  for _, line in ipairs(ID_LINES) do
    if session[line] ~= '' then
      return true
    end
  end
  return false
end

-- Returns the time (ms) from now until the session is purged; 0 or less if its retention is over.
local function timeToPurge(session, hasRecords)
  local retained = (hasRecords or hasIds(session) or session[DATA]) and retention or 0
  return math.max(session[EXPIRES] + retained, math.min(idle[1], total[1])) - age
end

local function encode(session)
  return table.concat(session, '\n')
end

-- Stores the session, and returns its text. `hasRecords` is whether the session has records; if it is nil, this function finds that out.
local function save(session, hasRecords)
  if hasRecords == nil then
    hasRecords = redis.call('EXISTS', KEYS[2]) == 1
  end
  local ttl = math.max(1, timeToPurge(session, hasRecords))
  local text = encode(session)
  redis.call('SET', KEYS[1], text, 'PX', ttl)
  if hasRecords then
    redis.call('PEXPIRE', KEYS[2], ttl)
  end
  if session[DATA] and dataKey then
    redis.call('PEXPIRE', dataKey, math.max(1, session[EXPIRES] - age))
  end
  return text
end

-- Returns the sequence of the last record, or 0. It is also the number of all recorded requests.
local function lastSequence()
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end
