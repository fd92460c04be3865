// Counts down to the moment in which an approval is sent, and then says that it is being sent. Without it: how long that was when the
// page was made.
const ends = new WeakMap() // place -> when, by this page's own clock

setInterval(() => {
  if (document.body.dataset.outOfDate === "Portico") return // which keeps it, and is not heard of
  for (const place of document.querySelectorAll("[data-sends-in]")) {
    if (!ends.has(place)) ends.set(place, performance.now() + 1000 * place.dataset.sendsIn)
    const left = Math.max(0, Math.ceil((ends.get(place) - performance.now()) / 1000))
    if (place.textContent !== `${left}`) place.textContent = left
    const after = place.parentElement.nextElementSibling
    if (!after?.matches("[data-being-sent]")) continue
    place.parentElement.hidden = !left
    after.hidden = left > 0
  }
}, 250)
