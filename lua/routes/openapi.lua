-- GET /openapi.json: every route that there is right now, those of the operator's policies too, described
-- from the table that registered it. Nothing here is written twice.
local schemas = require "schemas"

-- RFC 9457; some routes add members of their own, such as the charger's answer.
local PROBLEM = {
  type = "object", required = json.array { "status", "title", "type" },
  properties = {
    type = { type = "string" }, title = { type = "string" }, status = { type = "integer" },
    detail = { type = "string" }, instance = { type = "string" },
    errors = { -- where: in the body, or in a policy file
      type = "array", items = {
        type = "object", required = json.array { "message" },
        anyOf = json.array { { required = json.array { "pointer" } }, { required = json.array { "file", "line" } } },
        properties = {
          message = { type = "string" }, pointer = { type = "string" }, file = { type = "string" }, line = { type = "integer" },
        },
      },
    },
  },
}
local REFUSED = {
  description = "a problem",
  content = { ["application/problem+json"] = { schema = { ["$ref"] = "#/components/schemas/Problem" } } },
}
local DONE = { [200] = "done", [202] = "accepted, goes on" }
local MEDIA = {
  csv = "text/csv", jsonl = "application/x-ndjson", events = "text/event-stream", text = "text/plain",
}
local ANYTHING = { ["application/json"] = { schema = {} }, ["text/plain"] = { schema = {} } }

-- A JSON Schema in which names of schemas.lua stand where schemas do.
local function resolved(schema)
  if type(schema) == "string" or schema[1] then return (schemas.of(schema)) end
  local out = {}
  for key, value in pairs(schema) do out[key] = value end
  if schema.items then out.items = resolved(schema.items) end
  if schema.properties then
    out.properties = {}
    for name, member in pairs(schema.properties) do out.properties[name] = resolved(member) end
  end
  return out
end

-- What one answer of a route may be, by media type.
local function content_of(answer)
  if type(answer) == "string" or answer[1] then return { ["application/json"] = { schema = resolved(answer) } } end
  if answer.content then return { [answer.content] = { schema = {} } } end
  local content = {}
  for format, media in pairs(MEDIA) do
    if answer[format] then content[media] = { schema = {} } end
  end
  local json_answer = answer
  if next(content) then json_answer = answer.json end
  if json_answer then content["application/json"] = { schema = resolved(json_answer) } end
  return content
end

local function responses_of(route)
  local found = { ["4XX"] = REFUSED, ["5XX"] = REFUSED }
  for status, answer in pairs(route.answers or {}) do
    found[tostring(status)] = { description = DONE[status] or "what there is", content = content_of(answer) }
  end
  if not route.answers then found["2XX"] = { description = "as its policy says", content = ANYTHING } end
  return found
end

local function parameters_of(route)
  local list = json.array()
  for name in string.gmatch(route.path, "{(%w+)}") do
    list[#list + 1] = { name = name, ["in"] = "path", required = true, schema = { type = "string" } }
  end
  for name, text in pairs(route.query or {}) do
    local schema, optional = schemas.of(text)
    list[#list + 1] = { name = name, ["in"] = "query", required = not optional and text ~= "limit", schema = schema }
  end
  if route.idempotent then
    list[#list + 1] = { name = "Idempotency-Key", ["in"] = "header", required = false, schema = { type = "string" } }
  end
  table.sort(list, function(a, b) return a["in"] .. a.name < b["in"] .. b.name end)
  return list
end

local function body_of(route)
  if route.method == "GET" or route.method == "DELETE" then return nil end
  if route.bodyKind == "file" then return { content = { ["application/octet-stream"] = { schema = {} } } } end
  if route.bodyKind == "text" then return { content = { ["text/plain"] = { schema = {} }, ["application/json"] = { schema = {} } } } end
  local schema = route.body and (schemas.of(route.body)) or { type = "object" }
  return { content = { ["application/json"] = { schema = schema } } }
end

local function operation_of(route)
  local doc = route.doc or ""
  if route.scope ~= "none" then doc = doc .. " Key with scope " .. route.scope .. "." end
  return {
    summary = doc, parameters = parameters_of(route), requestBody = body_of(route), responses = responses_of(route),
    security = route.scope == "none" and json.array() or nil,
  }
end

local function document()
  local paths, components = {}, { Problem = PROBLEM }
  for _, route in ipairs(core.routes()) do
    local path = paths[route.path] or {}
    path[string.lower(route.method)] = operation_of(route)
    paths[route.path] = path
  end
  for name, shape in pairs(schemas.named) do components[name] = (schemas.of(shape)) end
  return {
    openapi = "3.1.0", info = { title = "ChargeBridge", version = core.version() }, paths = paths,
    security = json.array { { key = json.array() }, { bearer = json.array() } },
    components = {
      schemas = components,
      securitySchemes = {
        key = { type = "apiKey", ["in"] = "header", name = "X-API-Key" }, bearer = { type = "http", scheme = "bearer" },
      },
    },
  }
end

route("GET /api/v1/openapi.json", { query = {}, doc = "This document.", answers = { [200] = "object" } },
function() return 200, document() end)
