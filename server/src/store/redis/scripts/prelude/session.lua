-- Prelude: session rules, as in session/lifetime.ts and session/retention.ts, for scripts that use a session.
-- server/test/session/lifetime-vectors.ts proves both copies equal.
--
-- KEYS[1] session, KEYS[2] its records
-- ARGV[1] now, ARGV[2] creation time of the session (Unix ms)
-- ARGV[3] idle, ARGV[4] total lifetime of anonymous sessions, ARGV[5], ARGV[6] of recognized ones (ms)
-- ARGV[7] retention (ms)
local createdAt = tonumber(ARGV[2])
local age = tonumber(ARGV[1]) - createdAt
local idle = { tonumber(ARGV[3]), tonumber(ARGV[5]) }
local total = { tonumber(ARGV[4]), tonumber(ARGV[6]) }
local retention = tonumber(ARGV[7])

-- Lines of a stored session (layout/session-codec.ts). Times are ms since creation.
local ACTIVE, EXPIRES, STATE = 1, 2, 3
-- (declarations of session/fields.ts)

-- Index into `idle` and `total`: 1 anonymous, 2 recognized.
local function kindOf(session)
  return (session[AGENT] ~= '' or session[CUSTOMER] ~= '') and 2 or 1
end

-- Fills the lines that a session lacks.
local function complete(session)
  for line = #session + 1, LAST_LINE do
    session[line] = ''
  end
  return session
end

-- Returns the session and its stored text; if nothing is stored, the implicit session and false.
local function load()
  local text = redis.call('GET', KEYS[1])
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

-- Scope: '*' everyone's sessions, '=<customer>' those without a customer or with this one, '-' those without.
local function isWithin(session, scope)
  local owner = session[CUSTOMER]
  return owner == '' or scope == '*' or scope == '=' .. owner
end

local function isRenewalDue(session)
  return age - session[ACTIVE] >= idle[kindOf(session)] * (1 / 10)
    and session[EXPIRES] < total[kindOf(session)]
end

local function renew(session)
  session[ACTIVE] = math.max(session[ACTIVE], age)
  session[EXPIRES] = math.min(session[ACTIVE] + idle[kindOf(session)], total[kindOf(session)])
end

-- Returns the ms from now until the session is purged.
local function timeToPurge(session, hasRecords)
  local hasData = hasRecords
  for _, line in ipairs(ID_LINES) do
    hasData = hasData or session[line] ~= ''
  end
  local retained = hasData and retention or 0
  return math.max(session[EXPIRES] + retained, math.min(idle[1], total[1])) - age
end

local function encode(session)
  return table.concat(session, '\n')
end

-- Stores the session; looks itself if `hasRecords` is nil.
local function save(session, hasRecords)
  if hasRecords == nil then
    hasRecords = redis.call('EXISTS', KEYS[2]) == 1
  end
  local ttl = math.max(1, timeToPurge(session, hasRecords))
  redis.call('SET', KEYS[1], encode(session), 'PX', ttl)
  if hasRecords then
    redis.call('PEXPIRE', KEYS[2], ttl)
  end
end

-- Returns the sequence of the last record, which is the number of all recorded requests.
local function lastSequence()
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end
