-- The policies: what runs, what failed; loading, checking, going back.

route("GET /api/v1/policies", { query = {}, doc = "Which policies run, since when, with which figures.", answers = { [200] = "object" } }, function()
  return 200, core.policies()
end)

route("GET /api/v1/policies/errors", { query = {}, doc = "The last 100 distinct errors of policies.", answers = { [200] = "object" } }, function()
  return 200, core.policy_errors()
end)

-- 200 with the report, or 409 with the findings as `errors`.
local function answer(report)
  if report.ok then return 200, report end
  return problem(409, report.errorCount == 1 and "the policies have a problem"
                      or string.format("the policies have %d problems", report.errorCount), report)
end

route("POST /api/v1/policies/reload", { scope = "admin", query = {}, doc = "Loads the folder; what runs stays if it has problems.", answers = { [200] = "object" } },
function() return answer(core.reload()) end)

route("POST /api/v1/policies/check", { scope = "admin", query = {}, doc = "The same checks without loading.", answers = { [200] = "object" } },
function() return answer(core.check()) end)

route("POST /api/v1/policies/rollback", { scope = "admin", query = {}, doc = "Back to the policies before these.", answers = { [200] = "object" } },
function() return answer(core.rollback()) end)
