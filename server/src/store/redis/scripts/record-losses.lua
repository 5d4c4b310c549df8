-- Stores which shards of a cluster have lost their data. Reduces the number of live sessions by the share of these shards.
-- Stores nothing about a shard if another process has just done so, or if the command was sent twice.
--
-- KEYS[1] state, KEYS[2] losses, KEYS[3] state of the event log
-- ARGV[1] 'gone', or 'older' if an older copy of the data is there
-- ARGV[2] time (ms) during which further reports about a shard mean the same loss
-- ARGV[3] lifetime of the losses (ms)
-- ARGV[4] number of all shards
-- ARGV[5..] tags of the shards
if redis.call('HEXISTS', KEYS[1], 'layout') == 0 then
  return
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Processes recognize new losses by a later time.
now = math.max(now, tonumber(redis.call('HGET', KEYS[1], 'lost') or 0) + 1)
local added = 0
for i = 5, #ARGV do
  local known = string.match(redis.call('HGET', KEYS[2], ARGV[i]) or '', '^%d+')
  if not known or known + ARGV[2] < now then
    redis.call('HSET', KEYS[2], ARGV[i], string.format('%.0f %s', now, ARGV[1]))
    added = added + 1
  end
end
if added == 0 then
  return
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'lost', string.format('%.0f', now))
local live = redis.call('HGET', KEYS[3], 'live')
if ARGV[1] == 'gone' and live then
  redis.call('HSET', KEYS[3], 'live', string.format('%.0f', live * (1 - added / ARGV[4])))
end
