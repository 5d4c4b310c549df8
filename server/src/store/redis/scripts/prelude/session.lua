-- What the scripts know of sessions: the rules of session/lifetime.ts, and session/retention.ts for how long
-- something is told. Put before each script that changes a session.
--
-- KEYS[1] the session
-- KEYS[2] its records
-- ARGV[1] now, ARGV[2] when it was created: milliseconds since 1970
-- ARGV[3] idle time, ARGV[4] total life of anonymous sessions, ARGV[5], ARGV[6] of recognized ones
-- ARGV[7] for how long what is told of a session is kept after its end
local createdAt = tonumber(ARGV[2])
local age = tonumber(ARGV[1]) - createdAt
local idle = { tonumber(ARGV[3]), tonumber(ARGV[5]) }
local total = { tonumber(ARGV[4]), tonumber(ARGV[6]) }
local retention = tonumber(ARGV[7])

-- The lines of a session (packed.ts). Times count from its creation.
local ACTIVE, EXPIRES, STATE, AGENT, CUSTOMER, VISIT, GLOBAL, PAST = 1, 2, 3, 4, 5, 6, 7, 8

local function kind(session)
  return (session[AGENT] ~= '' or session[CUSTOMER] ~= '') and 2 or 1
end

local function expiry(session)
  return math.min(session[ACTIVE] + idle[kind(session)], total[kind(session)])
end

-- The session, which is as its id describes it where nothing is stored; then the text is false.
local function find()
  local text = redis.call('GET', KEYS[1])
  if not text then
    return { 0, math.min(idle[1], total[1]), '', '', '', '', '', '' }, false
  end
  local session = {}
  for line in string.gmatch(text .. '\n', '([^\n]*)\n') do
    session[#session + 1] = line
  end
  session[ACTIVE], session[EXPIRES] = tonumber(session[ACTIVE]), tonumber(session[EXPIRES])
  return session, text
end

local function isLive(session)
  return session[STATE] == '' and age < session[EXPIRES]
end

-- Whether the session is in the scope: * is everyone's, = with a customer that one's, - nobody's.
local function isWithin(session, scope)
  local owner = session[CUSTOMER]
  return owner == '' or scope == '*' or scope == '=' .. owner
end

local function isRenewalDue(session)
  return age - session[ACTIVE] >= idle[kind(session)] * (1 / 10)
    and session[EXPIRES] < total[kind(session)]
end

local function use(session)
  session[ACTIVE] = math.max(session[ACTIVE], age)
  session[EXPIRES] = expiry(session)
end

-- For how many milliseconds from now on the session is kept.
local function keeping(session, hasRecords)
  local isBlank = kind(session) == 1 and session[VISIT] == '' and session[GLOBAL] == ''
  local told = (isBlank and not hasRecords) and 0 or retention
  return math.max(session[EXPIRES] + told, math.min(idle[1], total[1])) - age
end

local function text(session)
  return table.concat(session, '\n')
end

-- `hasRecords` where that is known.
local function save(session, hasRecords)
  if hasRecords == nil then
    hasRecords = redis.call('EXISTS', KEYS[2]) == 1
  end
  local ttl = math.max(1, keeping(session, hasRecords))
  redis.call('SET', KEYS[1], text(session), 'PX', ttl)
  if hasRecords then
    redis.call('PEXPIRE', KEYS[2], ttl)
  end
end

-- How many requests were recorded: the sequence of the last.
local function recorded()
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end
