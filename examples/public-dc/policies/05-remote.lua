-- Remote starts: what the app or the operator started is let in, and its place is kept for it.
function on.authorize(idTag, cp, ask)
  if ask.purpose == "stop" then return end
  local start = ask.connector and cp:pending(ask.connector) or cp:pending()
  if not start then return end
  if start.idTag:upper() == idTag then return "Accepted", { why = "started remotely" } end
  if ask.connector and start.connector == ask.connector then
    return "Blocked", { why = "the place is kept for a remote start" }
  end
end
