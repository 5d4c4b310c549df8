-- Removes all deliveries that are about sessions, and notes the erasure.
--
-- ARGV[1]... handles
for _, handle in ipairs(ARGV) do
  for _, sequence in ipairs(of_session(handle)) do
    local delivery = read(sequence)
    if delivery then
      remove(sequence, delivery)
    end
  end
end
redis.call('HINCRBY', STATE, 'erasures', 1)
