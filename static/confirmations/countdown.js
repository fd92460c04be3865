// Counts down the time that is left for an answer, by the gateway's clock. Without it: the time left when the page was made.
const ANSWERS = "[data-answer] button:not([formaction$='/cancel/'])" // an approval that is not sent yet can be taken back
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
    for (const button of item.querySelectorAll(ANSWERS)) {
      if (left <= 0 && !button.disabled) {
        button.disabled = true
        button.dataset.late = ""
      } else if (left > 0 && button.dataset.late !== undefined) { // the clock was wrong, and is known better now
        button.disabled = false
        delete button.dataset.late
      }
    }
  }
}

document.addEventListener("confirmations:clock", ({ detail }) => {
  offset = detail.offset
  tick()
})
setInterval(tick, 1000)
