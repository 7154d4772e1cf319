-- The end of the tenure of a client that has more waiters of its own: keeps the lock if nobody else waits, otherwise hands
-- it over and takes a place at the end of the queue. Sent again with the same ids it answers the same.
-- ARGV[1] id  ARGV[2] the last token that was given away  ARGV[3] TTL in ms  ARGV[4] the token must be larger than this
-- ARGV[5] the id for the next tenure  ARGV[6] the first token of this one
-- Reply: {1, token, last reserved token, time in microseconds, waiters} kept
--     or {2, "<id of the holder> <its token>", what is left of its TTL in ms, own place, waiters before it} handed over
--     or {0} nobody held it, or {-1} somebody else did
local id, nextId = ARGV[1], ARGV[5]
local held = readHolder()
local token = tokenOf(id, held)
local place
if token and token ~= tonumber(ARGV[6]) then
  -- Kept already, and the reply was lost, or it is late: it must not end the tenure after that.
  return grantAgain(id, token, ARGV[3], ARGV[4], true)
elseif token then
  held = handOver(ARGV[2])
  if not held then
    -- Also where others may be left behind the dead: they are looked at when this tenure ends.
    return grant(id, ARGV[3], ARGV[4], true)
  end
  place = enqueue(nextId, '0')
else
  -- Sent again after a lost reply: the id for the next tenure is known already. (The holder may have died since: the
  -- first look at the queue goes on from there. A nil here would end the reply.)
  place = tonumber(redis.call('ZSCORE', KEYS[2], nextId) or (tokenOf(nextId, held) and 0))
  if not place then
    return {held and -1 or 0}
  end
end
return {2, held or '', redis.call('PTTL', KEYS[1]), place, redis.call('ZRANK', KEYS[2], nextId) or -1}
