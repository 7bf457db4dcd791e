-- What the driver asked for, given with the start as kv: "soc=80", "kwh=30", "minutes=45", "money=150" (of the currency).
-- curl … /api/v1/start -d '{"cpid":"CP1","connectorId":1,"id_tag":"APP-1","kv":"soc=80"}'
local function target(tx, name)
  local kv = tx.vars.kv
  return kv and tonumber(kv[name])
end

function on.start(tx)
  local minutes_asked = target(tx, "minutes")
  if minutes_asked then tx:remind("target minutes", minutes(minutes_asked)) end
end

local function is_reached(tx)
  local soc, kwh, money = target(tx, "soc"), target(tx, "kwh"), target(tx, "money")
  local price = money and tx:cost()
  return soc and tx.soc and tx.soc >= soc and "target soc"
      or kwh and tx.kwh and tx.kwh >= kwh and "target kwh"
      or price and price.total >= money * 10 ^ price.digits and "target money"
end

function on.meter(tx)
  local reason = is_reached(tx)
  if reason then tx:stop(reason) end
end

function on.reminder(tx, name)
  if name == "target minutes" then tx:stop "target minutes" end
end
