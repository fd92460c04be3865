// Closes a question of the agent when it is too late to answer it, and says so. Without it: the server says so when it is answered.
const log = document.querySelector("[data-log]")
const ends = new WeakMap() // by question: this clock's time at which it expires, counted from the seconds that the server gave it

function close(part) {
  for (const one of part.querySelectorAll("[data-in-time]")) one.hidden = true
  for (const one of part.querySelectorAll("[data-too-late]")) one.hidden = false
  for (const control of part.querySelectorAll("input, select, textarea, button")) control.disabled = true
  delete part.dataset.asks
}

function tick() {
  for (const question of log.querySelectorAll("[data-asks][data-left]")) {
    if (!ends.has(question)) ends.set(question, Date.now() + Number(question.dataset.left) * 1000) // milliseconds
    if (Date.now() < ends.get(question)) continue
    close(question)
    const form = question.closest("form")
    if (!form.querySelector("[data-asks]")) close(form)
  }
}

if (log) setInterval(tick, 1000)
