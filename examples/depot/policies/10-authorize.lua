-- A depot behind a fence: every car that gets in may charge.
function on.authorize(idTag, cp)
  return "Accepted"
end
