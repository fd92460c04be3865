// Counts down the time that is left for an answer, by the gateway's clock. Without it: the time left when the page was made.
let offset // ms: the gateway's clock minus this one; unknown until the socket tells, and then nothing counts before it

function clock(left) {
  const seconds = Math.max(0, Math.round(left / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}

function tick() {
  if (offset === undefined || document.body.matches("[data-out-of-date], [data-signed-out]")) return
  for (const place of document.querySelectorAll("[data-expires-at]")) {
    const left = Date.parse(place.dataset.expiresAt) - (Date.now() + offset)
    const text = left > 0 ? clock(left) : "Time is up"
    if (place.textContent !== text) place.textContent = text
    place.toggleAttribute("data-urgent", left < 30000)
    const unit = place.nextElementSibling // " left", for screen readers
    if (unit) unit.hidden = left <= 0
    const item = place.closest("[data-confirmation]")
    if (left <= 0) for (const button of item.querySelectorAll("[data-answer] button")) button.disabled = true
  }
}

document.addEventListener("confirmations:clock", ({ detail }) => {
  offset = detail.offset
  tick()
})
setInterval(tick, 1000)
