-- Cards that only the company's own service knows: GET …/cards/{idTag} answers {"allowed":true}. What it said is good for
-- 15 seconds. The host must be listed in the configuration: policies.http_hosts = cards.example.org.
local URL = "https://cards.example.org/cards/"
local MEMORY = "15s"
local WHEN_DOWN = "Invalid"            -- "Accepted" lets everybody in while the service is down: say which you want

local function ask_backend(idTag)
  local answer, err = http.get(URL .. http.escape(idTag), { timeout = "3s" })
  if not answer or answer.status >= 500 then
    log.warn("card service: %s", err or answer.status)
    return nil
  end
  return answer.status == 200 and answer.json and answer.json.allowed == true and "Accepted" or "Invalid"
end

function on.authorize(idTag, cp, ask)
  local known = store.get("backend/" .. idTag)
  if known then return known end
  local status = ask_backend(idTag)                        -- waits
  if not status then return WHEN_DOWN, { why = "the card service does not answer" } end
  store.set("backend/" .. idTag, status, { ttl = MEMORY })
  return status
end
