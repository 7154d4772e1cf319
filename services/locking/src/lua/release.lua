-- Compare and delete: only the holder can give the lock back.
-- KEYS[1] the lock   ARGV[1] unique id
-- Reply: 1 released; 0 nobody holds it; otherwise the id of another holder
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return holder or 0
