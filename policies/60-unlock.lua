-- A car that is plugged in without a session would sit there locked: after 90 s its plug is unlocked, once.
-- A session, or a remote start that waits for the car, keeps it.
local WAIT = 90
local PLUGGED = { Preparing = true, Finishing = true }       -- plugged in, no energy flows

local WAITING = "unlock/waiting"                             -- { ["CP1/2"] = since }; outlives restarts

local function note(place, since)
  local waiting = store.get(WAITING) or {}
  if waiting[place] == since then return end
  waiting[place] = since
  store.set(WAITING, next(waiting) and waiting or nil)
end

function on.status(cp, connector, status, previous)
  local place = cp.id .. "/" .. connector
  if connector == 0 then return end
  if not PLUGGED[status] then
    note(place, nil)
  elseif not PLUGGED[previous or ""] then
    note(place, now())
  end
end

local function is_taken(cp, connector)
  return transaction { cp = cp, connector = connector } or cp:pending(connector) or cp:pending()
end

every("10s", function()
  for place, since in pairs(store.get(WAITING) or {}) do
    local id, number = string.match(place, "^(.*)/(%d+)$")
    local cp, connector = chargepoint(id), math.tointeger(tonumber(number))
    if not cp then
      note(place, nil)
    elseif cp.online and now() - since >= WAIT and not is_taken(cp, connector) then
      note(place, nil)
      local ok, err = cp:unlock(connector)
      log.info("%s, connector %d: plugged in for %d s without a session, %s", id, connector, now() - since,
               ok and "unlocked" or "not unlocked: " .. tostring(err))
    end
  end
end)
