-- A sign of life of a client that waits, and a look whether it was told everything: a holder may have died, a message
-- may have been lost, and so may all data.
-- ARGV[1] the oldest id of this client in the queue  ARGV[2] client
-- Reply: {1, "<id of the holder> <its token>" or '', what is left of its TTL in ms, waiters before the id}; the holder
--     may be this client; '': too many of the dead are before those who live, and the next look goes on from there
--     or {0} the id is neither in the queue nor the holder
local id, client = ARGV[1], ARGV[2]
readClock()
local dead = redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. math.floor(nowUs / 1000))
if dead > 0 then
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, math.min(dead, mostPassedOver) - 1)
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  keepWaiting(client)
end

local held, alone = readHolder()
held = held or handOver(nil, client)
local rank = redis.call('ZRANK', KEYS[2], id)
if not rank and not tokenOf(id, held) then
  return {0}
end
if rank and held then
  tellHolder(held, client, alone)
end
return {1, held or '', redis.call('PTTL', KEYS[1]), rank or -1}
