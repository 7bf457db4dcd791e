-- Wallets: POST /wallets/{idTag}/topup puts money in, GET /wallets/{idTag} shows it. A session puts money aside at its
-- start, is warned ten minutes before it runs out, stops at the edge, and settles to the smallest unit, once.
local wallet = require "wallet"
local prepaid = require "prepaid"

function on.authorize(idTag, cp, ask)
  local balance = wallet.balance(idTag)
  if not balance then return end
  if ask.purpose ~= "stop" and balance < wallet.MIN_START then
    return "Blocked", { why = "the wallet holds " .. balance }
  end
  return "Accepted"
end

local function is_paid_here(tx) return not tx.flags.refused and (tx.vars.hold or wallet.balance(tx.idTag)) end

function on.start(tx)
  if is_paid_here(tx) then wallet.hold(tx) end
end

function on.meter(tx)
  if not is_paid_here(tx) then return end
  local price = tx:cost()
  local held = tx.vars.hold and tx.vars.hold.amount or wallet.hold(tx)
  if price and price.total > held - wallet.HOLD // 10 then held = wallet.hold(tx) end
  prepaid.watch(tx, held + wallet.balance(tx.idTag))
end

function on.stop(tx)
  if is_paid_here(tx) then wallet.settle(tx) end
end

route("POST /wallets/{idTag}/topup", {
  doc = "Puts money into a wallet, which is made by it. `amount` in the smallest unit, `token` names the payment: repeated, it is booked once.",
  body = { amount = "integer", token = "string" },
}, function(req)
  local idTag = string.upper(req.path.idTag)
  if req.json.amount <= 0 then return problem(422, "amount must be above 0") end
  local balance, err = wallet.book(idTag, req.json.amount, "topup/" .. req.json.token)
  if not balance and err.code ~= "once" then return problem(409, tostring(err)) end
  return 200, { idTag = idTag, balance = wallet.balance(idTag), booked = balance ~= nil }
end)

route("GET /wallets/{idTag}", { doc = "What a wallet holds, in the smallest unit." }, function(req)
  local idTag = string.upper(req.path.idTag)
  local balance = wallet.balance(idTag)
  if not balance then return problem(404, "no such wallet") end
  return 200, { idTag = idTag, balance = balance }
end)
