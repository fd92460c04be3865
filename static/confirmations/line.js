// Says in the page since when what it shows may be out of date, takes away what would pretend otherwise, and gives it back when all is
// live again; the same for good when the session ended. Nothing that was typed is touched. Without it: pages are right when they load.
import { keepingAim } from "confirmations/fragment"

const SAID_AFTER = 3000 // ms: shorter breaks are nobody's concern
const OFF_AFTER = 15000 // ms until nothing can be answered here
const ANSWERS = "[data-answer] button, [data-bulk] button, [data-together] form button, [data-sending] button"
const OTHERS = "[data-stop] button, [data-answers] button, [data-retry] button, [name=item]" // of a chat; ticks of the desk
const OFF = "Nothing can be answered until the connection is back. What you typed stays here."
const OVER = "You were signed out: nothing can be answered here. What you typed stays here."

const strip = document.querySelector("[data-line=lost]")
const banner = document.querySelector("[data-line=ended]")
const showsWhatChanges = () => document.querySelector("[data-desk], section[data-confirmation], [data-together], [data-follow]")
const { person } = document.body.dataset
const tabs = new BroadcastChannel("portico-session") // those of this browser
let line = { to: "" } // of whom nothing is heard; since: Date.now()
let isOver = false

/** Cancelling is Portico's own affair: it works while the gateway is away. */
const isOff = button => !(line.to === "the gateway" && button.closest("[formaction$='/cancel/'], [data-sending]"))

function switchOff() {
  for (const button of document.querySelectorAll(isOver ? `${ANSWERS}, ${OTHERS}` : ANSWERS)) {
    if (button.disabled || !isOff(button)) continue
    const hadFocus = button === document.activeElement
    button.disabled = true
    button.dataset.off = ""
    const call = hadFocus && button.closest("section[data-confirmation]")
    if (!call) continue
    call.tabIndex = -1
    call.focus({ preventScroll: true })
  }
  const sentence = isOver ? OVER : OFF
  for (const place of document.querySelectorAll("[data-answer] [data-said], [data-together] [data-said]"))
    if (place.textContent !== sentence) place.textContent = sentence
}

function switchOn() {
  for (const button of document.querySelectorAll("[data-off]")) {
    button.disabled = false
    delete button.dataset.off
  }
  for (const place of document.querySelectorAll("[data-said]")) if (place.textContent === OFF) place.textContent = ""
}

/** It is an alert only while it is shown. */
function show(notice, isShown) {
  if (isShown) notice.setAttribute("role", "alert")
  else notice.removeAttribute("role")
  notice.hidden = !isShown
}

const inWords = seconds => (seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`)

function look() {
  if (isOver) return switchOff()
  const age = line.to ? Date.now() - line.since : 0
  const isSaid = age >= SAID_AFTER && showsWhatChanges()
  if (isSaid) document.body.dataset.outOfDate = line.to
  else delete document.body.dataset.outOfDate
  if (isSaid) {
    for (const place of strip.querySelectorAll("[data-line-to]")) place.hidden = place.dataset.lineTo !== line.to
    for (const place of strip.querySelectorAll("[data-line-age]")) place.textContent = inWords(Math.round(age / 1000))
  }
  if (strip.hidden === Boolean(isSaid)) keepingAim(() => show(strip, Boolean(isSaid)))
  // A page that never was live is as it was loaded, perhaps behind a proxy that lets no socket through.
  if (isSaid && line.wasThere && age >= OFF_AFTER) switchOff()
  else switchOn()
}

document.addEventListener("confirmations:line", ({ detail }) => {
  const since = line.to && detail.to ? Math.min(line.since, detail.since) : detail.since
  line = { ...detail, since }
  look()
})

document.addEventListener("confirmations:ended", () => {
  isOver = true
  show(strip, false)
  delete document.body.dataset.outOfDate
  document.body.dataset.signedOut = ""
  const isAnswering = document.querySelector("[data-follow]")
  const isPasting = [...document.querySelectorAll("main [type=password]")].some(field => field.value)
  for (const words of banner.querySelectorAll("[data-line-when]"))
    words.hidden = words.dataset.lineWhen !== (isAnswering ? "answering" : isPasting ? "pasting" : "")
  const address = new URLSearchParams({ next: location.pathname + location.search, ...(isPasting && { unsent: "paste" }) })
  banner.querySelector("a").href = `/login/?${address}`
  show(banner, true)
  switchOff()
})

/** What a reload would lose: a secret, what was filled in for an agent or for several calls, the name of a tool. The rest of what is typed
    is kept in this tab. */
const UNKEPT = "[type=password], [data-answers] input, [data-answers] textarea, [data-together] [name=reason], [name=tool_name]"
const wouldLose = () => [...document.querySelectorAll(UNKEPT)].some(field => field.value !== field.defaultValue)

// Whoever signs in again in another tab finds this one as it should be.
tabs.addEventListener("message", ({ data }) => isOver && data === person && !wouldLose() && location.reload())
if (person) tabs.postMessage(person)
if (strip) setInterval(look, 1000)
