// The socket of the approvals, on every page of somebody signed in: keeps the badge and the words about the line right, and tells
// the page what changed as events on the document. Without it: the queue page is right each time it is loaded.
const WORDS = { live: "Live", reconnecting: "Reconnecting", polling: "Polling", ended: "Signed out", full: "Not live: too many pages are open" }
const QUIET = 10000 // ms: the longest pause between two attempts
const GIVEN_UP = 4401 // close code: the session ended
const FULL = 4429 // close code: this person has too many pages open
const LATER = 30000 // ms until such a page tries again
const SILENCE = 25000 // ms without a frame, which comes every 10 s at least: the line is dead, though nobody said so
let socket
let heardAt = 0 // Date.now() of the last frame; 0: there was none yet
let lostAt = Date.now() // since when nothing is heard of Portico; 0 while it is
let pause = 1000
let timer
let over = false
let triedAt = 0 // Date.now() when the line was opened last

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`confirmations:${name}`, { detail }))

function say(state) {
  for (const place of document.querySelectorAll("[data-live]")) {
    if (place.dataset.state === state) continue
    place.dataset.state = state
    place.textContent = WORDS[state] ?? ""
    place.removeAttribute("title")
  }
}

/** Tell the page from when on it may be out of date, and of whom nothing is heard. */
const lost = since => tell("line", { to: "Portico", since: (lostAt ||= since), wasThere: heardAt > 0 })

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
  heardAt = Date.now()
  if (frame.type === "news") return tell("news", frame)
  lostAt = 0
  say(frame.state)
  if (frame.state === "reconnecting") tell("line", { to: "the gateway", since: Date.now() - 1000 * frame.away, wasThere: true })
  else tell("line", { to: "" })
  count(frame.count)
  tell("unreadable", { sentence: frame.unreadable })
  tell("clock", { offset: frame.clock - Date.now() })
  if (frame.type !== "state") tell(frame.type, frame)
}

function open() {
  clearTimeout(timer)
  if (over || (socket && socket.readyState <= WebSocket.OPEN)) return
  triedAt = Date.now()
  const mine = (socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/confirmations/`))
  mine.addEventListener("open", () => tell("connected")) // what was told before is to be had from the pages
  mine.addEventListener("message", event => mine === socket && hear(event))
  mine.addEventListener("close", ({ code }) => {
    if (over || mine !== socket) return
    if (code === GIVEN_UP) return end("Your session ended. Please sign in again.")
    if (code === FULL) return void (timer = setTimeout(open, LATER))
    say("reconnecting")
    lost(Date.now())
    timer = setTimeout(open, pause * (0.7 + 0.3 * Math.random()))
    pause = Math.min(2 * pause, QUIET)
  })
}

/** A line on which nothing comes, or comes any more, is given up: its end may be told minutes later, or never. */
function listen() {
  if (over || !socket || socket.readyState > WebSocket.OPEN || Date.now() - Math.max(heardAt, triedAt) < SILENCE) return
  socket.close()
  socket = undefined
  say("reconnecting")
  lost(heardAt)
  open()
}

if (document.body.dataset.person) {
  setInterval(listen, 5000)
  addEventListener("DOMContentLoaded", open) // not before: all modules are there to hear the first frame then
  addEventListener("online", open)
  addEventListener("pageshow", open)
  document.addEventListener("visibilitychange", () => document.hidden || open())
}
