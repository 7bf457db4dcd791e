-- What the built-in routes share: pages, names of vehicles, answers to changes that failed.
local rest = {}

-- An answer with one page of a list: { items = …, next = cursor or null }.
local PAGE = { "items", "next" }
function rest.page(items, next)
  return 200, json.ordered(PAGE, { items = json.array(items), next = next })
end

-- The schema of such a page, for `answers`; `item` is a name of schemas.lua.
function rest.page_of(item)
  return {
    type = "object", additionalProperties = false, required = { "items", "next" },
    properties = { items = { type = "array", items = item }, next = { type = { "string", "null" } } },
  }
end

-- A body that has the right types and yet does not fit.
function rest.unfit(pointer, message)
  return problem(422, "the body has fields that do not fit",
                 { errors = json.array { { pointer = pointer, message = message } } })
end

-- The identity as it is spelled on record: the store's filters know no other.
function rest.identity(cpid)
  local cp = cpid and core.chargepoint(cpid)
  return cp and cp.cpid or cpid
end

-- Gives every item its member order and turns the …Ms times of `times` into text:
-- rest.items(rows, ORDER, { tsMs = "timestamp" }).
function rest.item(row, order, times)
  for from, to in pairs(times) do
    row[to] = core.time(row[from])
    row[from] = nil
  end
  return json.ordered(order, row)
end

function rest.items(rows, order, times)
  for _, row in ipairs(rows) do rest.item(row, order, times) end
  return rows
end

-- The vehicle of a session: what a policy noted in tx.vars, or the MAC of an autocharge tag.
function rest.vehicle(session)
  local mac = session.idTag and string.match(string.upper(session.idTag), "^VID:(%x+)$")
  local vars = session.vars or {}
  session.vehicleId = session.vehicleId or vars.vehicleId or (mac and "VID:" .. mac)
  session.mac = session.mac or vars.mac or mac
  session.vars = nil
  return session
end

local PRICE = { "currency", "total", "digits", "text", "lines", "tariff", "generation", "file", "line" }
local STORED = { "Currency", "Total", "Digits", "Lines", "Tariff", "Generation", "File", "Line" }

-- 1234 with 2 digits is "12.34".
local function decimal(amount, digits)
  local text = string.format("%0" .. digits + 1 .. "d", math.abs(amount))
  local point = #text - digits
  return (amount < 0 and "-" or "") .. string.sub(text, 1, point) .. (digits > 0 and "." or "") .. string.sub(text, point + 1)
end

-- The price of a transaction, from the members of its row: `price`, nil if it has none.
function rest.price(row)
  local price = {}
  for _, name in ipairs(STORED) do
    price[string.lower(name)], row["price" .. name] = row["price" .. name], nil
  end
  if not price.currency then return row end
  price.text = decimal(price.total, price.digits) .. " " .. price.currency
  row.price = json.ordered(PRICE, price)
  return row
end

-- What core.cost gave, in the same order; nil if there is none.
function rest.cost(price) return price and json.ordered(PRICE, price) end

-- The same for CSV: `price` as a decimal number, `currency`, `tariff`.
function rest.price_columns(row)
  local currency, total = row.priceCurrency, row.priceTotal
  row.currency, row.tariff = currency, row.priceTariff
  row.price = currency and decimal(total, row.priceDigits)
  return row
end

-- Milliseconds, as the store counts, of a time in a query.
function rest.ms(seconds) return seconds and seconds * 1000 // 1 | 0 end

-- A query of the store: rows and the next cursor, or nil, nil and the arguments of problem().
function rest.query(name, params)
  local rows, next = core.query(name, params)
  if rows then return rows, next end
  if string.match(next.message, "^cursor:") then return nil, nil, 400, "query parameter \"cursor\" is not one of ours" end
  log.warn("query %s: %s", name, next)
  return nil, nil, 503, "the store does not answer"
end

local STATUS = { invalid = 422, conflict = 409, unknown = 404, store = 503 }

-- The member that a text like "password: expected …" or "securityProfile 1 needs …" is about, as a JSON
-- pointer; "" if it is about none.
local function pointer_of(text, fields)
  local name, fault = string.match(text, "^(.-): (.*)$")
  local first = string.match(text, "^%w+")
  if name and (not fields[name] or string.find(fault, "^unknown option")) then
    return "/options/" .. string.gsub(string.gsub(name, "~", "~0"), "/", "~1"), fault
  end
  return fields[name or first] and "/" .. (name or first) or "", fault or text
end

-- What a change that did not happen is answered. `fields` are the members of the body; an error that
-- begins with another name is about one of the options.
function rest.refused(err, fields)
  local status = STATUS[err.code] or 500
  if status ~= 422 then return problem(status, err.message) end
  local pointer, text = pointer_of(err.message, fields)
  return problem(422, err.message, { errors = json.array { { pointer = pointer, message = text } } })
end

return rest
