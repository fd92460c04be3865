// The socket of the approvals, on every page of somebody signed in: keeps the badge and the words about the line right, and tells
// the page what changed as events on the document. Without it: the queue page is right each time it is loaded.
const WORDS = { live: "Live", reconnecting: "Reconnecting", polling: "Polling", ended: "Signed out", full: "Not live: too many pages are open" }
const QUIET = 10000 // ms: the longest pause between two attempts
const GIVEN_UP = 4401 // close code: the session ended
const FULL = 4429 // close code: this person has too many pages open
const LATER = 30000 // ms until such a page tries again
let socket
let pause = 1000
let timer
let over = false

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`confirmations:${name}`, { detail }))

function say(state) {
  for (const place of document.querySelectorAll("[data-live]")) {
    if (place.dataset.state === state) continue
    place.dataset.state = state
    place.textContent = WORDS[state] ?? ""
    place.removeAttribute("title")
  }
}

function count(number) {
  for (const badge of document.querySelectorAll("[data-pending-count]")) {
    badge.textContent = number || ""
    badge.hidden = !number
  }
  tell("count", { number })
}

function end(message) {
  over = true
  say("ended")
  for (const place of document.querySelectorAll("[data-live]")) {
    const link = Object.assign(document.createElement("a"), { textContent: "Sign in again", title: message })
    link.href = `/login/?next=${encodeURIComponent(location.pathname + location.search)}`
    place.replaceChildren("Signed out. ", link)
  }
  tell("ended", { message })
}

function full(message) {
  say("full")
  for (const place of document.querySelectorAll("[data-live]")) place.title = message
}

function hear({ data }) {
  const frame = JSON.parse(data)
  if (frame.type === "ended") return end(frame.message)
  if (frame.type === "full") return full(frame.message)
  pause = 1000
  if (frame.type === "news") return tell("news", frame)
  say(frame.state)
  count(frame.count)
  tell("unreadable", { sentence: frame.unreadable })
  tell("clock", { offset: frame.clock - Date.now() })
  if (frame.type !== "state") tell(frame.type, frame)
}

function open() {
  clearTimeout(timer)
  if (over || (socket && socket.readyState <= WebSocket.OPEN)) return
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/confirmations/`)
  socket.addEventListener("open", () => tell("connected")) // what was told before is to be had from the pages
  socket.addEventListener("message", hear)
  socket.addEventListener("close", ({ code }) => {
    if (over) return
    if (code === GIVEN_UP) return end("Your session ended. Please sign in again.")
    if (code === FULL) return void (timer = setTimeout(open, LATER))
    say("reconnecting")
    timer = setTimeout(open, pause * (0.7 + 0.3 * Math.random()))
    pause = Math.min(2 * pause, QUIET)
  })
}

if (document.body.dataset.person) {
  addEventListener("DOMContentLoaded", open) // not before: all modules are there to hear the first frame then
  addEventListener("online", open)
  addEventListener("pageshow", open)
  document.addEventListener("visibilitychange", () => document.hidden || open())
}
