-- Takes the lock from whoever holds it, ahead of whoever waits, and tells the one who held it.
-- ARGV[1] id  ARGV[2] TTL in ms  ARGV[3] the token must be larger than this
-- Reply: {1, token, last reserved token, time in microseconds, waiters}
local held = readHolder()
local token = tokenOf(ARGV[1], held)
if token then
  return grantAgain(ARGV[1], token, ARGV[2], ARGV[3])
end
if held then
  local client, _, _, number = parse(string.match(held, '^(.*) ') or held)
  if client then
    tell(client, number, 'stolen')
  end
end
return grant(ARGV[1], ARGV[2], ARGV[3])
