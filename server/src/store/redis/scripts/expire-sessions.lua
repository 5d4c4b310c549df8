-- Finds out which sessions have expired. Marks them, so that no process with a slower clock renews them, and so that each
-- is found once; writes a note about those that have ids or records, or have had data. Their data expire by themselves.
--
-- KEYS pairs: session, its records; then the queue of notes
-- ARGV[1], ARGV[3] to ARGV[7] as in prelude/session.lua; ARGV[2] 0
-- ARGV[8..] creation times of the sessions (Unix ms)
-- Returns for each session one of:
-- -1 if it has ended, was found before, or is gone
-- 0 if it has expired
-- the time at which it expires, in ms since its creation
local MARK_LIFE = 3600000
local results = {}
for i = 1, (#KEYS - 1) / 2 do
  local name, records = KEYS[2 * i - 1], KEYS[2 * i]
  local session, stored = load(name)
  local lived = tonumber(ARGV[1]) - tonumber(ARGV[7 + i])
  local hasRecords = redis.call('EXISTS', records) == 1
  if session[STATE] ~= '' and session[STATE] ~= 'x' or not stored and not hasRecords then
    results[i] = -1
  elseif lived < session[EXPIRES] then
    results[i] = session[EXPIRES]
  else
    session[STATE] = 'y'
    if stored then
      redis.call('SET', name, encode(session), 'KEEPTTL')
    else
      -- The mark is not needed for longer: the implicit session has expired on every clock.
      redis.call('SET', name, encode(session), 'PX', math.min(MARK_LIFE, math.max(1, redis.call('PTTL', records))))
    end
    if (hasRecords or hasIds(session) or session[DATA]) and lived < session[EXPIRES] + retention then
      local _, ofTotal = lifetimeOf(session)
      local reason = session[EXPIRES] >= ofTotal and 'lifetime' or 'idle'
      addNote(name, string.format('%.0f,%.0f,%s', EXPIRED_BIT, session[EXPIRES], momentOf(session, reason)))
    end
    results[i] = 0
  end
end
return results
