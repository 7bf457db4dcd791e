-- What happens, live, as server-sent events: curl -N …/api/v1/events?types=status,command&cpid=CP1
-- Each event has `id`, `event` (its name) and one line of `data` (JSON). A reader that comes back with
-- Last-Event-ID gets what it missed, as far as it is still kept; if not all, first an event `missed`.

route("GET /api/v1/events", {
  query = { types = "string?", cpid = "string?", lastEventId = "integer?" },
  doc = "What happens, live (text/event-stream). types: names joined by commas; all but `message` if not given.",
  answers = { [200] = { events = true } },
}, function(req)
  local last = req.headers["last-event-id"]
  local source, why = core.events {
    cpid = req.query.cpid, types = req.query.types,
    lastId = last and math.tointeger(tonumber(last)) or req.query.lastEventId,
  }
  if not source then return problem(400, "query parameter \"types\": " .. why) end
  return 200, source, { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-store" }
end)
