-- Commands: any action of OCPP from us to a charge point, sent as given, and what came back.
-- Batches over many charge points are in batches.lua.
local rest = require "rest"
local ask = require "ask"

-- 202 and where to look for the result, or the problem that is known already.
local function queued(result)
  if result.status ~= "queued" then return ask.problem(result) end
  return 202, json.ordered({ "id", "status" }, { id = result.id, status = "queued" }),
         { Location = "/api/v1/commands/" .. result.id }
end

route("POST /api/v1/chargepoints/{cpid}/commands/{Action}", {
  query = { timeout = "integer?" }, body = "json", idempotent = true,
  doc = "Sends a command, the payload as given. status: accepted (it answered), error (its CALLERROR), timeout. "
     .. "With Prefer: respond-async the answer is 202 at once: better where timeout (seconds) is longer than an answer of "
     .. "ours may wait (rest.answer_timeout).",
  answers = { [200] = "CommandResult", [202] = "CommandQueued" },
}, function(req)
  local timeout = req.query.timeout
  if timeout and (timeout < 1 or timeout > 600) then return problem(400, "timeout is 1 to 600 seconds") end
  local command = { action = req.path.Action, body = req.body, timeout = timeout, by = req.key }
  if string.find(string.lower(req.headers.prefer or ""), "respond-async", 1, true) then
    local cp = core.chargepoint(req.path.cpid)
    if cp and not cp.online then return problem(409, "the charge point is not connected") end
    return queued(core.command_start(req.path.cpid, command))
  end
  return ask.whole(ask.command(req.path.cpid, command))
end)

route("GET /api/v1/commands/{id}", {
  query = {}, doc = "One command: what was asked, by which key, what came back.", answers = { [200] = "Command" },
}, function(req)
  local rows, _, status, why = rest.query("command", { id = req.path.id })
  if not rows then return problem(status, why) end
  if not rows[1] then return problem(404, "unknown command") end
  return 200, ask.commands(rows)[1]
end)

route("GET /api/v1/chargepoints/{cpid}/commands", {
  query = {
    action = "string?", state = ask.STATES, from = "time?", to = "time?", limit = "limit", cursor = "string?",
  },
  doc = "Commands to one charge point, newest first.", answers = { [200] = rest.page_of "Command" },
}, function(req)
  local q = req.query
  if not core.chargepoint(req.path.cpid) then return problem(404, "unknown charge point") end
  local rows, next, status, why = rest.query("commands", {
    cpid = rest.identity(req.path.cpid), action = q.action, state = q.state, from = rest.ms(q.from), to = rest.ms(q.to),
    limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  return rest.page(ask.commands(rows), next)
end)
