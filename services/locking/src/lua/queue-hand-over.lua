-- How a lock goes to the next waiter. See queue-shared.lua for keys, ids and settings; needs queue-holder.lua and
-- queue-take.lua.

-- Client, TTL, kind and number of an id; nothing if it is not one of ours.
local function parse(id)
  return string.match(id, '^(.*)/(%d+)([:~])(%d+)$')
end

local function tell(client, number, what, more)
  redis.call('PUBLISH', channelPrefix .. client, what .. ' ' .. number .. ' ' .. (more or '') .. KEYS[1])
end

-- Whether it would hear of its turn, and come. Asked before it is made the holder, and before anything is sent: what
-- has been sent may be heard, whatever number of receivers PUBLISH tells. (To a replica, for instance, it is passed on.)
local function isAlive(client)
  local aliveUntilMs = redis.call('ZSCORE', KEYS[3], client)
  if not aliveUntilMs or aliveUntilMs * 1000 < nowUs then
    return false
  end
  return not countsReceivers or redis.call('PUBSUB', 'NUMSUB', channelPrefix .. client)[2] > 0
end

-- Nobody else is served while a script runs: so many of the dead take it some hundredths of a second.
local mostPassedOver = 5000

-- The first waiter who is alive, taken from the queue, and so are all before it.
-- id: the first waiter of all, taken from the queue already
local function nextAlive(id, here)
  local alive = {}
  local passedOver = 0
  while id do
    local client, ttlMs, _, number = parse(id)
    if client then
      if id == here or client == here then
        return id, ttlMs
      end
      if alive[client] == nil then
        alive[client] = isAlive(client)
      end
      if alive[client] then
        return id, ttlMs, client, number
      end
    end
    passedOver = passedOver + 1
    if passedOver == mostPassedOver then
      return nil
    end
    id = redis.call('ZPOPMIN', KEYS[2])[1]
  end
end

-- The lock is free, or its holder gives it up: makes the first waiter who is alive its holder for as long as that one
-- wants it, and tells it all that it needs to begin. A client that is dead or cut off is passed over; it comes back with
-- its old place. A token is minted for one waiter only, the holder.
-- last: the last token that was given away, where the memory of it may be ahead of that; nil or false: as remembered.
-- here: the client, or the id, that reads the reply of this script and needs no telling.
-- id: the first waiter, if it was taken from the queue already.
-- Message: granted <number> <token> <last reserved token> <time in microseconds> <TTL in ms> <waiters> <KEYS[1]>
-- Returns "<id> <token>" of the new holder; nil: the lock is free now. Second: whether others may still be waiting for
-- it, behind more of the dead than can be passed over at once. The next one to look goes on from there.
local function handOver(last, here, id)
  readClock()
  local ttlMs, client, number
  id, ttlMs, client, number = nextAlive(id or redis.call('ZPOPMIN', KEYS[2])[1], here)
  if not id then
    if last then
      redis.call('SET', KEYS[4], last, 'PX', math.max(tokenMemoryMs, 1))
    end
    redis.call('DEL', KEYS[1])
    if redis.call('EXISTS', KEYS[2]) == 1 then
      return nil, true
    end
    redis.call('UNLINK', KEYS[3])
    return nil
  end
  local token = math.max(nowUs, (last or redis.call('GET', KEYS[4]) or 0) + 1)
  local written = digits(token)
  local reserved = digits(reservation(token, ttlMs))
  setHolder(id, written, ttlMs)
  redis.call('SET', KEYS[4], reserved, 'PX', tokenMemoryMs + ttlMs)
  if client then
    local now = token == nowUs and written or digits(nowUs)
    local waiters = redis.call('ZCARD', KEYS[2])
    tell(client, number, 'granted', written .. ' ' .. reserved .. ' ' .. now .. ' ' .. ttlMs .. ' ' .. waiters .. ' ')
  end
  return id .. ' ' .. written
end
