-- A candidate for the row with a shadow: the bench's rule, and more work than the live policies have, so that the
-- share that a shadow may take is used up.
function on.authorize(idTag, cp, ask)
  if not idTag:find("^LOAD") then return end
  cp.vars.asked = (cp.vars.asked or 0) + 1
  if ask.purpose == "start" and transaction { idTag = idTag } then return "ConcurrentTx" end
  return "Accepted"
end

function on.meter(tx, m)
  tx.vars.readings = (tx.vars.readings or 0) + 1
  tx.vars.newest = { time = m.time, power = m.power, energy = m.energy }
  store.set("meter/" .. tx.cp.id, tx.vars.newest)
end

function on.stop(tx) store.set("kwh/" .. tx.cp.id, (store.get("kwh/" .. tx.cp.id) or 0) + (tx.kwh or 0)) end
