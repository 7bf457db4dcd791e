-- Guests: credit bought at the station (POST /guests gives a token, which is the idTag of the session). It is good for seven
-- days; once used, what is left can be used again only at the same connector and within 15 minutes.
local prepaid = require "prepaid"

local LIFE, RESUME = "7d", minutes(15)
local MIN_START = 500                                  -- less does not start a session

local function key(token) return "guest/" .. token end

-- A guest's credit keeps its last day whatever happens to it.
local function save(token, guest)
  store.set(key(token), guest, { ttl = math.max(1, guest.until_s - now()) })
end

function on.authorize(idTag, cp, ask)
  local guest = store.get(key(idTag))
  if not guest or ask.purpose == "stop" then return guest and "Accepted" end
  if guest.credit < MIN_START then return "Blocked", { why = "the credit is used up" } end
  if not guest.cp then return "Accepted" end
  if now() - guest.stopped > RESUME then return "Expired", { why = "not resumed within 15 minutes" } end
  local here = guest.cp == cp.id and (not ask.connector or guest.connector == ask.connector)
  if not here then return "Blocked", { why = "the credit belongs to " .. guest.cp .. "/" .. guest.connector } end
  return "Accepted"
end

function on.start(tx)
  local guest = store.get(key(tx.idTag))
  if not guest or tx.flags.refused then return end
  guest.cp, guest.connector, guest.stopped = tx.cp.id, tx.connector, now()
  save(tx.idTag, guest)
end

function on.meter(tx)
  local guest = store.get(key(tx.idTag))
  if not guest then return end
  guest.stopped = now()                                -- as long as it runs, it is not over for 15 minutes
  save(tx.idTag, guest)
  prepaid.watch(tx, guest.credit)
end

function on.stop(tx)
  local guest = store.get(key(tx.idTag))
  if not guest or guest.settled == tx.id or not tx.price then return end
  guest.credit, guest.stopped, guest.settled = guest.credit - tx.price.total, now(), tx.id
  save(tx.idTag, guest)
end

route("POST /guests", {
  doc = "Credit for a guest, in the smallest unit. `token` is what the guest starts with; a token is sold once.",
  body = { token = "string", credit = "integer" },
}, function(req)
  local token = string.upper(req.json.token)
  if #token > 20 or req.json.credit <= 0 then
    return problem(422, "a token has at most 20 characters, credit is above 0")
  end
  if store.get(key(token)) then return problem(409, "this token is sold already") end
  save(token, { credit = req.json.credit, until_s = now() + duration(LIFE) })
  return 200, { token = token, expires = timestamp(now() + duration(LIFE)) }
end)
