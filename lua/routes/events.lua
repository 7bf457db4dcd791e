-- What happens, live: server-sent events, with replay of what was missed by Last-Event-ID.
route("GET /api/v1/events", {
  query = { cpid = "string?", types = "string?", lastEventId = "integer?" },
  doc = "Events as they happen (text/event-stream): types is a list of names with commas, all but `message` if it is not "
     .. "given. The header Last-Event-ID, or lastEventId, replays what came after it and is still there.",
  answers = { [200] = { content = "text/event-stream" } },
}, function(req)
  local q = req.query
  local last = q.lastEventId
  if not last and req.headers["last-event-id"] then
    last = math.tointeger(tonumber(req.headers["last-event-id"]))
    if not last then return problem(400, "Last-Event-ID is not one of ours") end
  end
  local source, why = core.events { cpid = q.cpid, types = q.types, lastId = last }
  if not source then return problem(400, tostring(why)) end
  return 200, source, { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-store" }
end)
