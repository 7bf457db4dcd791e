-- Is the server well, and which one is it?

route("GET /api/v1/health", { key = false, query = {}, doc = "Liveness; 503 while the store takes no writes." },
function()
  if not core.health() then return 503, { ok = false } end
  return 200, json.ordered({ "ok", "time" }, { ok = true, time = core.time(core.now_ms()) })
end)

route("GET /api/v1/version", { query = {}, doc = "Name and version of the server." }, function()
  return 200, { name = "chargebridge", version = core.version() }
end)
