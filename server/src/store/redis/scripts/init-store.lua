-- Writes the state and the first secret, if the store is new.
--
-- KEYS[1] state, KEYS[2] secrets
-- ARGV[1] layout that this release writes, ARGV[2] new secret
-- ARGV[3] now (Unix ms), ARGV[4] maximum time (ms) by which the stored time may be ahead of this server's clock
-- Returns the layout of the stored data; 'no secrets' if there is a state without secrets
local hasSecrets = redis.call('EXISTS', KEYS[2]) == 1
if redis.call('HEXISTS', KEYS[1], 'layout') == 1 then
  if not hasSecrets then
    return 'no secrets'
  end
  return redis.call('HGET', KEYS[1], 'layout')
end
local time = redis.call('TIME')
local server = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'layout', ARGV[1])
-- A process of the store that was here may have stored this after the loss of the layout.
redis.call('HDEL', KEYS[1], 'marked')
redis.call('HSETNX', KEYS[1], 'floor', string.format('%.0f', math.min(tonumber(ARGV[3]), server + ARGV[4])))
if not hasSecrets then
  redis.call('RPUSH', KEYS[2], ARGV[2])
end
return ARGV[1]
