-- GET /metrics: the figures of core.figures() as Prometheus reads them. One row a metric says its type and
-- what it counts; a figure without a row is a mistake that the tests find.
local METRICS = {
  { "chargebridge_calls_received_total", "counter", "CALLs that charge points sent." },
  { "chargebridge_calls_sent_total", "counter", "CALLs that went to charge points." },
  { "chargebridge_call_repeats_total", "counter", "CALLs that came again and were answered as before." },
  { "chargebridge_deviations_total", "counter", "Deviations from the standard that were repaired." },
  { "chargebridge_unreadable_frames_total", "counter", "Frames that could not be read." },
  { "chargebridge_late_answers_total", "counter", "Answers that nobody waited for any more." },
  { "chargebridge_orphan_messages_total", "counter", "Transaction messages that fitted no transaction; all are kept." },
  { "chargebridge_refused_admissions_total", "counter", "Connections that were refused, by credentials or identity." },
  { "chargebridge_failed_batches_total", "counter", "Batches of rows that could not be stored." },
  { "chargebridge_events_dropped_total", "counter", "Online and offline events that no policy saw, because too many waited." },
  { "chargebridge_charge_points", "gauge", "Known charge points by state." },
  { "chargebridge_open_transactions", "gauge", "Transactions that run." },
  { "chargebridge_pending_starts", "gauge", "Remote starts that wait for their transaction." },
  { "chargebridge_store_healthy", "gauge", "1 while the database takes writes." },
  { "chargebridge_store_queue_batches", "gauge", "Batches of rows that wait for the database." },
  { "chargebridge_store_queue_bytes", "gauge", "Memory of these batches; beyond 64 MiB new ones are refused." },
  { "chargebridge_http_connections", "gauge", "Open connections of REST." },
  { "chargebridge_http_pending_requests", "gauge", "REST requests under way." },
  { "chargebridge_http_streams", "gauge", "Endless answers under way." },
  { "chargebridge_event_readers", "gauge", "Readers of live events." },
  { "chargebridge_websocket_connections", "gauge", "Open connections of charge points." },
  { "chargebridge_websocket_send_queue_bytes", "gauge", "What waits to be sent to charge points, of all connections." },
  { "chargebridge_websocket_send_queue_max_bytes", "gauge", "The same, of the connection with most." },
  { "chargebridge_policy_generation", "gauge", "Number of the policies that run; rises with each load." },
  { "chargebridge_policy_memory_bytes", "gauge", "Memory of the policies that run." },
  { "chargebridge_policy_tasks", "gauge", "Handlers under way, waiting ones included." },
  { "chargebridge_policy_reloads_total", "counter", "Loads that replaced the policies." },
  { "chargebridge_policy_refusals_total", "counter", "Loads that were refused." },
  { "chargebridge_policy_rollbacks_total", "counter", "Times that the policies went back by themselves or were told to." },
  { "chargebridge_policy_distinct_errors_total", "counter", "Different errors of policies." },
  { "chargebridge_policy_calls_total", "counter", "Runs of handlers by hook." },
  { "chargebridge_policy_errors_total", "counter", "Runs of handlers that failed, by hook." },
  { "chargebridge_policy_waits_total", "counter", "Times that handlers waited, by hook." },
  { "chargebridge_policy_run_seconds", "histogram", "Time of handlers in scripts, without waits, by hook." },
  { "chargebridge_outgoing_requests", "gauge", "HTTP requests of policies: active, or queued behind sixteen." },
  { "chargebridge_outgoing_requests_total", "counter", "HTTP requests of policies that were begun." },
  { "chargebridge_outgoing_failures_total", "counter", "Those that brought no answer." },
  { "chargebridge_webhook_queued", "gauge", "Messages that wait for their delivery, by webhook." },
  { "chargebridge_webhook_delivered_total", "counter", "Messages that were delivered, by webhook." },
  { "chargebridge_webhook_failures_total", "counter", "Attempts that failed, by webhook." },
  { "chargebridge_webhook_dropped_total", "counter", "Messages given up after three days, by webhook." },
  { "chargebridge_shadow_events_total", "counter", "Events that a shadow candidate saw, by what became of them." },
  { "chargebridge_shadow_differences_total", "counter", "Events to which the candidate answered or did something else." },
  { "chargebridge_shadow_errors_total", "counter", "Runs of the candidate's handlers that failed." },
  { "chargebridge_shadow_seconds_total", "counter", "Time spent on the candidate." },
  { "chargebridge_canary_calls_total", "counter", "Runs of handlers of the canary that is live." },
  { "chargebridge_canary_errors_total", "counter", "Runs of its handlers that failed." },
  { "chargebridge_canary_rollbacks_total", "counter", "Canaries that were rolled back by themselves." },
  { "chargebridge_route_calls_total", "counter", "Requests by route." },
  { "chargebridge_route_errors_total", "counter", "Requests that failed in their handler, by route." },
  { "process_resident_memory_bytes", "gauge", "Memory of the process." },
  { "process_start_time_seconds", "gauge", "When the process began, in seconds since 1970." },
  { "process_cpu_seconds_total", "counter", "Processor time of the process." },
}

local function family(name)
  return string.match(name, "^(.*_seconds)_bucket$") or string.match(name, "^(.*_seconds)_sum$")
    or string.match(name, "^(.*_seconds)_count$") or name
end

local function text()
  local lines, by_family = {}, {}
  for _, figure in ipairs(core.figures()) do
    local name = family(figure.name)
    local list = by_family[name] or {}
    local labels = figure.labels ~= "" and "{" .. figure.labels .. "}" or ""
    list[#list + 1] = figure.name .. labels .. " " .. string.format("%.17g", figure.value)
    by_family[name] = list
  end
  for _, metric in ipairs(METRICS) do
    local list = by_family[metric[1]]
    if list then
      lines[#lines + 1] = "# HELP " .. metric[1] .. " " .. metric[3]
      lines[#lines + 1] = "# TYPE " .. metric[1] .. " " .. metric[2]
      table.move(list, 1, #list, #lines + 1, lines)
      by_family[metric[1]] = nil
    end
  end
  for name in pairs(by_family) do log.warn("metrics: the figure %s is not described", name) end
  return table.concat(lines, "\n") .. "\n"
end

for _, path in ipairs { "/api/v1/metrics", "/metrics" } do
  route("GET " .. path, { query = {}, doc = "Figures for Prometheus.", answers = { [200] = { text = true } } }, function()
    return 200, text(), { ["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8" }
  end)
end
