package session

import "github.com/redis/go-redis/v9"

// A session is one hash, session:{<id>}: count, owner (the fencing token of the
// connection that may count) and attempt (the newest connect of its client).
// Both scripts may be sent again with the same arguments: the second time
// changes nothing.

// claimScript makes the caller the owner.
//
//	KEYS[1] session   ARGV owner, attempt or "", TTL in ms
//
// It returns {count, existed, attempt}; {-1} when the attempt is not newer.
// Attempts are compared as digits: Lua's numbers are exact to 2^53 only.
func claimScript() *redis.Script {
	return redis.NewScript(`
local s = redis.call('HMGET', KEYS[1], 'count', 'owner', 'attempt')
local owner, attempt, stored = ARGV[1], ARGV[2], s[3] or ''
if s[2] ~= owner and attempt ~= '' then
  if #attempt < #stored or (#attempt == #stored and attempt <= stored) then return {-1} end
end
local existed = 0
if s[1] and (s[2] ~= owner or s[1] ~= '0') then existed = 1 end
if attempt ~= '' and s[2] ~= owner then stored = attempt end
redis.call('HSET', KEYS[1], 'owner', owner, 'count', s[1] or '0')
if stored ~= '' then redis.call('HSET', KEYS[1], 'attempt', stored) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {s[1] or '0', existed, stored}
`)
}

// commitScript stores the counts of many sessions for their owners. It repairs a
// session that Redis lost, while its connection lives: one that has ended must
// not, since a newer one may be alive. And it takes a session back from an older
// attempt, which can only have become the owner because Redis lost the newer claim.
//
//	KEYS sessions   ARGV TTL in ms, then of each session: owner, count, attempt or "", life
//
// life is one of the constants below. It returns what was not stored: the number
// of a session and why, in turns. A count lower than the stored one is an older
// commit that was stuck on its way: it changes nothing. What is wrong with one
// session leaves the others alone; what keeps Redis from writing at all is an
// error, and then all of it is to be sent again.
func commitScript() *redis.Script {
	return redis.NewScript(`
local call, pcall, ttl, refused = redis.call, redis.pcall, ARGV[1], {}
for i, session in ipairs(KEYS) do
  local owner, count, attempt, life = ARGV[4*i-2], ARGV[4*i-1], ARGV[4*i], ARGV[4*i+1]
  local s = pcall('HMGET', session, 'owner', 'count')
  local why
  if s.err then
    why = s.err
  elseif s[1] == owner then
    local stored = tonumber(s[2] or '-1')
    if not stored then why = 'the stored count is no number'
    elseif tonumber(count) > stored then call('HSET', session, 'count', count) end
  elseif life == '` + lifeEnded + `' then
    if s[1] then why = '` + fencedReply + `' end
  else
    local stored = s[1] and call('HMGET', session, 'attempt')[1]
    if (not s[1] and not s[2]) or (stored and (#attempt > #stored or (#attempt == #stored and attempt > stored))) then
      call('HSET', session, 'owner', owner, 'count', count)
      if attempt ~= '' then call('HSET', session, 'attempt', attempt) end
      life = '` + lifeRenewed + `'
    else
      why = '` + fencedReply + `'
    end
  end
  if why then
    refused[#refused+1] = i
    refused[#refused+1] = why
  elseif life ~= '` + lifeFresh + `' then
    call('PEXPIRE', session, ttl)
  end
end
return refused
`)
}

// What the commit script is told of a session's life, and what it says of one
// that another connection owns.
const (
	lifeEnded   = "0" // the connection has ended: a lost session is not repaired
	lifeRenewed = "1" // the time to live begins anew
	lifeFresh   = "2" // it was renewed so lately that it need not be
	fencedReply = "FENCED"
)
