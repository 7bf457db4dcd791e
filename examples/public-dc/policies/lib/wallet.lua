-- Prepaid wallets, in the smallest unit of the currency (öre, cents). The balance never holds money that a running session
-- has put aside: two sessions cannot spend the same crown. Each movement has a token and is booked once, whatever is
-- repeated, reloaded or killed: sum of top-ups = sum of balances + sum of money put aside + sum of prices.
local wallet = {
  MIN_START = 2000,            -- less does not start a session
  HOLD = 20000,                -- put aside at the start, and again whenever that is used up
}

local function key(idTag) return "wallet/" .. idTag end

-- nil: this card has no wallet.
function wallet.balance(idTag) return store.get(key(idTag)) end

-- Books `amount` (negative: takes) under a token of its own; the new balance, or nil and why.
function wallet.book(idTag, amount, token)
  return store.add(key(idTag), amount, { once = "wallet/booked/" .. token })
end

-- Puts aside what there is, up to HOLD. The transaction remembers how much it has and how often it asked.
function wallet.hold(tx)
  local hold = tx.vars.hold or { amount = 0, count = 0 }
  local more = math.min(wallet.HOLD, math.max(0, wallet.balance(tx.idTag)))
  if more > 0 and wallet.book(tx.idTag, -more, "hold/" .. tx.id .. "/" .. hold.count) then
    hold.amount = hold.amount + more
  end
  hold.count = hold.count + 1
  tx.vars.hold = hold
  return hold.amount
end

-- Gives back what was put aside and takes the price. A session without a price keeps its money aside until somebody
-- has looked at it: GET /api/v1/transactions?flag=unpriced.
function wallet.settle(tx)
  local hold = tx.vars.hold or { amount = 0 }
  if not tx.price then return log.error("transaction %d has no price; %d stay aside", tx.id, hold.amount) end
  wallet.book(tx.idTag, hold.amount - tx.price.total, "settle/" .. tx.id)
end

return wallet
