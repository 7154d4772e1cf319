-- Keeps a lock that is still ours; one that is gone stays gone.
-- ARGV[1] id  ARGV[2] TTL in ms  ARGV[3] '1': reserve tokens to give away
-- Reply: {1, last reserved token, waiters}, or {0} nobody holds it, or {-1} somebody else does
local held, token = holder()
if held ~= ARGV[1] or not token then
  return {held and -1 or 0}
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
readClock()
local last = tonumber(redis.call('GET', KEYS[4]) or token)
if ARGV[3] == '1' then
  last = math.max(last, reservation(token, tonumber(ARGV[2])))
end
remember(last)
return {1, last, redis.call('ZCARD', KEYS[2])}
