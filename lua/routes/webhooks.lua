-- Webhooks: what waits for other systems, and how its delivery goes. Policies declare them.
local rest = require "rest"

local FIELDS = {
  "name", "url", "declared", "signed", "queued", "sending", "delivered", "failedAttempts", "dropped", "oldestAt",
  "lastDeliveredAt", "lastError", "lastErrorAt", "nextAttemptAt",
}
local TIMES = {
  oldestMs = "oldestAt", deliveredMs = "lastDeliveredAt", errorMs = "lastErrorAt", retryMs = "nextAttemptAt",
}

route("GET /api/v1/webhooks", {
  query = {}, doc = "Webhooks of the policies: what waits, what failed last. Figures count since start.",
  answers = { [200] = { type = "object", additionalProperties = false, required = { "items" },
                        properties = { items = { type = "array", items = "Webhook" } } } },
}, function()
  local items = core.webhooks()
  table.sort(items, function(a, b) return a.name < b.name end)
  return 200, { items = rest.items(items, FIELDS, TIMES) }
end)

route("POST /api/v1/webhooks/{name}/retry", {
  query = {}, doc = "Tries now what would wait for its next attempt.", answers = { [200] = "Ok" },
}, function(req)
  if not core.webhook_retry(req.path.name) then return problem(404, "unknown webhook") end
  return 200, { ok = true }
end)
