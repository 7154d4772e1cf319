-- How a lock goes to the next waiter. See queue-shared.lua for keys, ids and settings; needs queue-holder.lua and
-- queue-take.lua.

local function parse(id)
  return string.match(id, '^(.*)([:~])(%d+)$')
end

local function tell(client, number, what, more)
  local message = what .. ' ' .. number .. ' ' .. (more or '') .. KEYS[1]
  return redis.call('PUBLISH', channelPrefix .. client, message)
end

-- What is reserved for a new holder: it asks for more as soon as it has begun. No more than for the shortest lease there
-- is, since it may have asked for that one: when its lock expires, the clock must have passed all reserved tokens.
local shortestTtlMs = 10

-- The lock is free, or its holder gives it up: makes the first waiter who is alive its holder, and tells it all that it
-- needs to begin; or leaves the lock free if there is none. The new holder has claimMs to give a sign of life; if it
-- does not, the lock expires, and the next one to look goes on from there.
-- A client whose channel nobody listens to is dead or cut off, and is passed over at once where receivers can be
-- counted. It comes back with its old place.
-- last: the last token that was given away, where the memory of it may be ahead of that; nil or false: as remembered.
-- here: the client, or the id, that reads the reply of this script and needs no telling.
-- id: the first waiter, if it was taken from the queue already.
-- Message: granted <number> <token> <last reserved token> <time in microseconds> <TTL in ms> <waiters> <KEYS[1]>
local function handOver(last, here, id)
  readClock()
  local token, written, reserved
  local deaf = {}
  while true do
    id = id or redis.call('ZPOPMIN', KEYS[2])[1]
    if not id then
      if last then
        redis.call('SET', KEYS[4], last, 'PX', tokenMemoryMs)
      end
      redis.call('DEL', KEYS[1], KEYS[3])
      return nil
    end
    local client, _, number = parse(id)
    local reads = id == here or client == here
    local sign = not reads and not deaf[client] and redis.call('ZSCORE', KEYS[3], client)
    if reads or (sign and sign * 1000 >= nowUs - staleMs * 1000) then
      -- One token, however many have to be tried: those who do not hear of it have not seen it.
      if not token then
        token = math.max(nowUs, (last or redis.call('GET', KEYS[4]) or 0) + 1)
        written = digits(token)
        reserved = digits(reservation(token, shortestTtlMs))
      end
      setHolder(id, written, claimMs)
      local heard = reads
      if not reads then
        local now = token == nowUs and written or digits(nowUs)
        local waiters = redis.call('ZCARD', KEYS[2])
        local more = written .. ' ' .. reserved .. ' ' .. now .. ' ' .. claimMs .. ' ' .. waiters .. ' '
        heard = tell(client, number, 'granted', more) > 0 or not countsReceivers
      end
      if heard then
        redis.call('SET', KEYS[4], reserved, 'PX', tokenMemoryMs)
        return id .. ' ' .. written
      end
      deaf[client] = true
    end
    id = nil
  end
end
