-- Ends whatever the id has: a lock is handed over to the next waiter, a place in the queue is given up.
-- ARGV[1] id  ARGV[2] the last token that was given away; '0' if none was, whatever it has; '' if no more were reserved
-- Reply: 1 free now, 2 handed over, 0 nobody held it, -1 somebody else does
local id = ARGV[1]
local held = readHolder()
if not held or string.sub(held, 1, #id + 1) ~= id .. ' ' then
  redis.call('ZREM', KEYS[2], id)
  return held and -1 or 0
end
-- Nobody has seen the tokens that were reserved and not given away. They must not stay ahead of the clock: should all
-- data be lost, the next token would be smaller than one that was minted after them.
local last = ARGV[2]
if last == '0' then
  last = string.sub(held, #id + 2)
end
local first = redis.call('ZPOPMIN', KEYS[2])[1]
if not first then
  if last ~= '' then
    readClock()
    remember(tonumber(last), 0)
  end
  redis.call('UNLINK', KEYS[1], KEYS[3])
  return 1
end
return handOver(last ~= '' and last, nil, first) and 2 or 1
