-- Keeps a lock that is still ours; one that is gone stays gone.
-- ARGV[1] id  ARGV[2] TTL in ms
-- ARGV[3] '': no tokens are reserved; otherwise they are, and up to this one it may have given them away by now
-- Reply: {1, last reserved token or 0, waiters}, or {0} nobody holds it, or {-1} somebody else does
local held = readHolder()
local token = tokenOf(ARGV[1], held)
if not token then
  return {held and -1 or 0}
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
readClock()
local reserved = 0
if ARGV[3] ~= '' then
  reserved = math.max(ARGV[3], reservation(token, ARGV[2]))
  remember(reserved, ARGV[2])
else
  redis.call('PEXPIRE', KEYS[4], memoryMs(token, tokenMemoryMs + ARGV[2], nowUs))
end
return {1, reserved, redis.call('ZCARD', KEYS[2])}
