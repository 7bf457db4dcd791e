-- Tells the driver something: one place to change when there is an app. Here it goes to the display of the charger, if it
-- has one that takes messages, and to the log. Waits for the charger.
return function(tx, text)
  log.info("transaction %d, %s: %s", tx.id, tx.idTag, text)
  tx.vars.notice = text
  tx.cp:call("DataTransfer", { vendorId = "ChargeBridge", messageId = "Notice", data = text }, { timeout = "5s" })
end
