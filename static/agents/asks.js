// Keeps what is being filled in where an agent asks something, so that it is there after a reload or on another device. Without it:
// it is kept when an answer is refused.
const PAUSE = 400 // milliseconds without a key
const log = document.querySelector("[data-log]")
const timers = new Map() // by form

function keep(form) {
  clearTimeout(timers.get(form))
  timers.delete(form)
  const typed = new FormData(form)
  typed.set("keep", "yes")
  const length = [...typed.values()].join("").length
  const headers = { "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value }
  fetch(form.action, { method: "POST", body: typed, headers, keepalive: length < 10_000 }).catch(() => {})
}

log?.addEventListener("input", ({ target }) => {
  const form = target.closest("[data-answers]")
  if (!form) return
  clearTimeout(timers.get(form))
  timers.set(form, setTimeout(keep, PAUSE, form))
})
log?.addEventListener("submit", ({ target }) => {
  clearTimeout(timers.get(target)) // it is being sent
  timers.delete(target)
})
addEventListener("pagehide", () => [...timers.keys()].forEach(keep))
