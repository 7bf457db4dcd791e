-- The policies: what runs, what failed; loading, checking, going back; trying a candidate before it is live.
local rest = require "rest"

route("GET /api/v1/policies", { query = {}, doc = "Which policies run, since when, with which figures.", answers = { [200] = "object" } }, function()
  local status, shadow = core.policies(), core.shadow()
  status.canary = core.canary()
  status.shadow = {
    running = shadow.running, dir = shadow.dir, generation = shadow.generation, state = shadow.state,
    compared = shadow.compared, differing = shadow.differing,
  }
  return 200, status
end)

route("GET /api/v1/policies/errors", { query = {}, doc = "The last 100 distinct errors of policies.", answers = { [200] = "object" } }, function()
  return 200, core.policy_errors()
end)

-- 200 with the report, or 409 with the findings as `errors`.
local function answer(report)
  if report.ok then return 200, report end
  return problem(409, report.errorCount == 1 and "the policies have a problem; the rules in force stay"
                      or string.format("the policies have %d problems; the rules in force stay", report.errorCount), report)
end

route("POST /api/v1/policies/reload", { scope = "admin", query = {}, doc = "Loads the folder; what runs stays if it has problems.", answers = { [200] = "object" } },
function() return answer(core.reload()) end)

route("POST /api/v1/policies/check", { scope = "admin", query = {}, doc = "The same checks without loading.", answers = { [200] = "object" } },
function() return answer(core.check()) end)

route("POST /api/v1/policies/rollback", { scope = "admin", query = {}, doc = "Back to the policies before these.", answers = { [200] = "object" } },
function() return answer(core.rollback()) end)

-- ---- eval ----

-- The body is judged by the core, which knows which fields an event has.
route("POST /api/v1/policies/eval", {
  scope = "admin", query = {}, body = "json",
  doc = "What would the policies, or those of the folder `dir`, answer to an event and do? Nothing of it is done. "
     .. 'Body: {"event":"authorize","cp":"CP1","idTag":"04A2"} and what else the event has.',
  answers = { [200] = "object" },
}, function(req)
  local result, err = core.eval(req.json)
  if result then return 200, result end
  if err.code == "refused" then return answer(err.details) end
  return problem(422, "the body has fields that do not fit", { errors = json.array { err.details } })
end)

-- ---- shadow ----

local function shown(list, query, limit)
  local items = json.array()
  for _, item in ipairs(list) do
    if #items < limit and (not query.cpid or item.cpid == query.cpid) and (not query.event or item.event == query.event) then
      items[#items + 1] = item
    end
  end
  return items
end

route("GET /api/v1/policies/shadow", {
  query = { cpid = "string?", event = "string?", limit = "limit" },
  doc = "The candidate that runs beside the policies without effect: figures, and where it differs, by event and charge point.",
  answers = { [200] = "object" },
}, function(req)
  local q = { cpid = rest.identity(req.query.cpid), event = req.query.event }
  local shadow = core.shadow()
  if shadow.running then
    shadow.counts = shown(shadow.counts, q, 1000)
    shadow.differences = shown(shadow.differences, q, req.query.limit)
  end
  return 200, shadow
end)

route("POST /api/v1/policies/shadow", {
  scope = "admin", query = {}, body = { dir = "string" },
  doc = "Builds a folder and lets it watch: the same events, no effect, differences counted. Instead of the one before.",
  answers = { [200] = "object" },
}, function(req) return answer(core.shadow_start(req.json.dir)) end)

route("DELETE /api/v1/policies/shadow", { scope = "admin", query = {}, doc = "Ends the shadow.", answers = { [200] = "Ok" } }, function()
  if not core.shadow_stop() then return problem(404, "no candidate watches") end
  return 200, { ok = true }
end)

-- ---- canary ----

route("GET /api/v1/policies/canary", {
  query = {}, doc = "The candidate that is live for some charge points, and how the one before ended.", answers = { [200] = "object" },
}, function() return 200, core.canary() end)

route("POST /api/v1/policies/canary", {
  scope = "admin", query = {},
  body = { dir = "string", chargepoints = "array?", percent = "integer?", errorsMin = "integer?", errorPercent = "integer?" },
  doc = "Makes a folder live for the named charge points, or for a percentage by a hash of the identity. Rolled back by "
     .. "itself when errorsMin (5) of its handlers failed and more than errorPercent (5) of all.",
  answers = { [200] = "object" },
}, function(req)
  local body = req.json
  for i, name in ipairs(body.chargepoints or {}) do
    if type(name) ~= "string" then return rest.unfit("/chargepoints/" .. i - 1, "must be a string") end
  end
  local percent = body.percent or 0
  if percent < 0 or percent > 100 then return rest.unfit("/percent", "must be 0 to 100") end
  if #(body.chargepoints or {}) == 0 and percent == 0 then
    return rest.unfit("", "chargepoints or percent is needed")
  end
  for _, name in ipairs { "errorsMin", "errorPercent" } do
    if body[name] and (body[name] < 0 or body[name] > 1000000) then return rest.unfit("/" .. name, "is out of range") end
  end
  return answer(core.canary_start(body))
end)

route("POST /api/v1/policies/canary/promote", {
  scope = "admin", query = {}, doc = "Makes the candidate live for all. The folder on disk stays what it is.",
  answers = { [200] = "object" },
}, function()
  if not core.canary_promote() then return problem(404, "no candidate is live") end
  local status = core.policies()
  return 200, { generation = status.generation, filesDiffer = status.filesDiffer }
end)

route("DELETE /api/v1/policies/canary", { scope = "admin", query = {}, doc = "Ends the canary: its charge points have the current policies again.",
                                          answers = { [200] = "Ok" } }, function()
  if not core.canary_stop() then return problem(404, "no candidate is live") end
  return 200, { ok = true }
end)
