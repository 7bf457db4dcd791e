-- The bench's cards: each charger has its own, and it may charge at one place at a time.
function on.authorize(idTag, cp, ask)
  if not idTag:find("^LOAD") then return end
  if ask.purpose == "start" and transaction { idTag = idTag } then return "ConcurrentTx" end
  return "Accepted"
end
