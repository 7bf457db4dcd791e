-- Is the server well, and which one is it?

local function health()
  if not core.health() then return 503, { ok = false } end
  return 200, json.ordered({ "ok", "time" }, { ok = true, time = core.time(core.now_ms()) })
end

for path, doc in pairs {
  ["/api/v1/health"] = "Alive; 503 while the store takes no writes.",
  ["/api/v1/health/ready"] = "Ready for chargers: the same as /health, under the name that orchestrators ask for.",
} do
  route("GET " .. path, { key = false, query = {}, doc = doc, answers = { [200] = "Health", [503] = "Health" } }, health)
end

route("GET /api/v1/version", {
  query = {}, doc = "Name and version of the server.", answers = { [200] = "Version" },
}, function()
  return 200, { name = "chargebridge", version = core.version() }
end)
