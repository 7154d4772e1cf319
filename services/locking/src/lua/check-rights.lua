-- Which of these commands the user of this connection may not use, with a key and a channel of the lock (Redis 7 or newer).
-- KEYS[1] a key  ARGV[1] a channel  ARGV[2...] names of commands
-- Reply: {name, ...}
local refused = {}
for i = 2, #ARGV do
  local name = ARGV[i]
  local permitted
  if name == 'PUBLISH' or name == 'SUBSCRIBE' then
    permitted = redis.acl_check_cmd(name, ARGV[1])
  elseif name == 'PUBSUB' then
    permitted = redis.acl_check_cmd(name, 'NUMSUB', ARGV[1])
  elseif name == 'EVAL' or name == 'EVALSHA' then
    permitted = redis.acl_check_cmd(name, '', '1', KEYS[1])
  else
    permitted = redis.acl_check_cmd(name, KEYS[1])
  end
  if not permitted then
    table.insert(refused, name)
  end
end
return refused
