-- Is the server well, and which one is it?

route("GET /api/v1/health", {
  key = false, query = {}, doc = "Liveness; 503 while the store takes no writes.",
  answers = { [200] = "Health", [503] = "Unwell" },
}, function()
  if not core.health() then return 503, { ok = false } end
  return 200, json.ordered({ "ok", "time" }, { ok = true, time = core.time(core.now_ms()) })
end)

-- For what stands in front: ready when the store writes and policies run.
route("GET /api/v1/health/ready", {
  key = false, query = {}, doc = "Readiness: the store takes writes, reads, and policies are loaded; 503 with what lacks.",
  answers = { [200] = "Ready", [503] = "Ready" },
}, function()
  local writes = core.health()
  local reads = core.query("transaction", { id = 0 }) ~= nil
  local ok = writes and reads and generation > 0
  return ok and 200 or 503, json.ordered({ "ok", "storeWrites", "storeReads", "policies" }, {
    ok = ok, storeWrites = writes, storeReads = reads, policies = generation,
  })
end)

route("GET /api/v1/version", {
  query = {}, doc = "Name and version of the server.", answers = { [200] = "Version" },
}, function()
  return 200, { name = "chargebridge", version = core.version() }
end)
