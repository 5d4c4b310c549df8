-- Prelude: appends records to a session, also the record that is set aside. Needs prelude/session.lua and
-- prelude/notes.lua before it.
--
-- A record that is set aside is the text 'key\nfingerprint\nrecord': the idempotency key and the fingerprint of the
-- request that sent it. When the record is stored, only 'key\nfingerprint\n' remains, so that the request can be
-- repeated.

local function append(record, sequence, batch)
  redis.call('XADD', KEYS[2], string.format('%.0f-%s', sequence, batch), 'r', record)
end

-- Notes that the session has its first record. Returns the note, or nil if there is nothing to note: the session is
-- stored, and it is published already or was ended before.
local function noteFirstRecord(session, stored)
  local isPublished = publishes and not hasIds(session) and not session[DATA] and (session[STATE] == '' or session[STATE] == 'x')
  local bits = (stored and 0 or CREATED_BIT) + (isPublished and PUBLISHED_BIT or 0)
  return bits > 0 and writeNote(session, bits, '') or nil
end

-- Appends the record that is set aside under `key`, if there is one and the session is live. It counts as batch 0.
-- Returns whether a record was appended. The caller need not know whether the session is young enough to have one.
local function storeSetAside(session, key)
  if age >= MAX_SET_ASIDE_AGE or not isLive(session) then
    return false
  end
  local head, record = string.match(redis.call('GET', key) or '', '^([^\n]*\n[^\n]*\n)(.+)$')
  if not record then
    return false
  end
  append(record, lastSequence() + 1, '0')
  redis.call('SET', key, head, 'KEEPTTL')
  redis.call('PEXPIRE', KEYS[2], timeToPurge(session, true))
  return true
end
