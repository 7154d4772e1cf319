-- Second round: writes the token down, if the lock is still held here and no token as large was ever written here.
-- KEYS[1] the lock   KEYS[2] the last token of this name, a space, and the id that minted it
-- ARGV[1] unique id  ARGV[2] token  ARGV[3] memory of the token in ms
-- Reply: {1} written; {0} not held here any more; {-1, last token} refused
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {0}
end
local last, minter = string.match(redis.call('GET', KEYS[2]) or '0', '^(%d+) ?(.*)$')
-- The very same token from the same id is our own, sent again after a lost reply.
local again = tonumber(last) == tonumber(ARGV[2]) and minter == ARGV[1]
if tonumber(last) >= tonumber(ARGV[2]) and not again then
  return {-1, tonumber(last)}
end
-- One that is ahead of this server's clock is remembered at least until the clock has passed it, and a second more.
local time = redis.call('TIME')
local aheadMs = math.ceil((ARGV[2] - (time[1] * 1000000 + time[2])) / 1000)
local memoryMs = aheadMs > 0 and math.max(ARGV[3], aheadMs + 1000) or ARGV[3]
redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. ARGV[1], 'PX', memoryMs)
return {1}
