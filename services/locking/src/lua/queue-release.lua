-- Ends whatever the id has: a lock is handed over to the next waiter, a place in the queue is given up.
-- ARGV[1] id  ARGV[2] the last token that was given away, or ''
-- Reply: {1, 1 if handed over or 0 if free now}, or {0} nobody holds it, or {-1} somebody else does
local held = holder()
if held ~= ARGV[1] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {held and -1 or 0}
end
-- Nobody has seen the tokens that were reserved and not given away.
if ARGV[2] ~= '' then
  remember(ARGV[2])
end
return {1, handOver() and 1 or 0}
