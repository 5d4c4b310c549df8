-- Stores the result of an attempt.
--
-- ARGV[1] sequence, ARGV[2] 1 if it was successful, ARGV[3] time of the next attempt or "", ARGV[4] now,
-- ARGV[5] the attempt, JSON
local sequence, now = ARGV[1], tonumber(ARGV[4])
local delivery = read(sequence)
-- The same text is the same attempt: the call was carried out before.
if not delivery or delivery.lastAttempt == ARGV[5] then
  return
end
if delivery.state ~= 'pending' and ARGV[2] ~= '1' then
  return
end
delivery.attempts = delivery.attempts + 1
delivery.lastAttempt = ARGV[5]
if ARGV[2] == '1' then
  finish(sequence, delivery, 'delivered', now)
elseif ARGV[3] == '' then
  finish(sequence, delivery, 'failed', now)
else
  set_due(sequence, delivery, tonumber(ARGV[3]))
  write(sequence, delivery)
end
