-- ARGV[1] how many waiters to list at most
-- Reply: {id of the holder or '', its token or 0, what is left of its TTL in ms, waiters, {ids of the first waiters}}
-- include queue-take.lua
-- include queue-shared.lua
local held, token = holder()
return {
  held or '', token or 0, redis.call('PTTL', KEYS[1]),
  redis.call('ZCARD', KEYS[2]), redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1),
}
