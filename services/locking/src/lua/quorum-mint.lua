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
redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. ARGV[1], 'PX', memoryMs(tonumber(ARGV[2]), ARGV[3], clockUs()))
return {1}
