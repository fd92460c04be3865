// One call, whole, as the server renders it; and putting a newer one in its place without losing what somebody is in the middle of.
import { elements } from "confirmations/rows"
import { markChanged } from "confirmations/steady"

const kept = new Map() // address -> { version, section: a promise }, of calls that are likely to be opened next
const KEEPS = 6

/** A call as the server renders it at this address. Rejects when it cannot be read. */
export async function fetched(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } })
  if (!answer.ok || answer.headers.has("HX-Redirect")) throw new Error(`${answer.status}`)
  const [call] = elements(await answer.text())
  if (!call?.dataset.confirmation) throw new Error("not a call")
  return call
}

const addressOf = row => new URL(row.querySelector("a").href).pathname

/** Have it at hand when it is opened. */
export function prefetch(row) {
  const address = addressOf(row)
  const { version } = row.dataset
  if (kept.get(address)?.version === version) return
  const section = fetched(address)
  section.catch(() => kept.delete(address))
  kept.set(address, { version, section })
  if (kept.size > KEEPS) kept.delete(kept.keys().next().value)
}

/** The section of a row. Rejects when it cannot be read. */
export function sectionOf(row) {
  const address = addressOf(row)
  const ready = kept.get(address)
  kept.delete(address)
  return ready?.version === row.dataset.version ? ready.section : fetched(address)
}

const fields = root => [...root.querySelectorAll("input:not([type=hidden]), textarea, select")].filter(field => field.name)
const nameOf = element => `${element.tagName} ${element.name ?? ""} ${element.matches("button") ? element.value : ""} ${element.getAttribute("formaction") ?? ""} ${element.textContent.trim()}`

let lifted = Promise.resolve() // once no button of the pointer is down, and what was pressed has been clicked
addEventListener(
  "pointerdown",
  () => {
    lifted = new Promise(done => {
      for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => setTimeout(done), { once: true, capture: true })
    })
  },
  { capture: true },
)

/** Once nothing that was sent from this call is on its way: its answer, or its failure, has to find the form that it came from. */
export async function answered(section) {
  while (section.isConnected && section.querySelector("[data-answer].htmx-request, [data-answer] .htmx-request"))
    await new Promise(done => document.addEventListener("htmx:afterRequest", () => setTimeout(done), { once: true }))
}

const rejectOf = section => section.querySelector("[data-give=reject]")
const topOf = element => element.getBoundingClientRect().top

function scrollerOf(element) {
  for (let one = element.parentElement; one; one = one.parentElement)
    if (/auto|scroll/.test(getComputedStyle(one).overflowY)) return one
  return document.scrollingElement
}

/** Where Reject was in the window; undefined when nobody can be aiming at it. */
function aimOf(section) {
  const button = rejectOf(section)
  const top = button && topOf(button)
  return top > 0 && top < innerHeight ? top : undefined
}

/** Whoever aims at Reject hits it, whatever came above it: it goes back to where it was; where that cannot be scrolled, room is made. */
function steady(section, aim) {
  const button = aim !== undefined && rejectOf(section)
  if (!button) return
  const scroller = scrollerOf(section)
  const goBack = () => {
    scroller.scrollTop += Math.round(topOf(button) - aim)
    return Math.round(topOf(button) - aim)
  }
  const form = section.querySelector("[data-answering]")
  const push = by => (form.style.marginBlockStart = `${Math.max(0, (Number.parseFloat(form.style.marginBlockStart) || 0) + by)}px`)
  const below = Math.round(topOf(button) - aim)
  if (below > 0) push(-below) // what is above it got its size, and the room that stood in for it is not needed
  const rest = goBack()
  if (rest < 0) push(-rest)
  if (rest <= 0) return
  const room = rest + scroller.clientHeight // more than enough
  section.style.marginBlockEnd = `${room}px`
  goBack()
  const spare = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop
  section.style.marginBlockEnd = `${Math.max(0, room - spare)}px`
}

/** Now and in the next frames: what is far out of view, and what other scripts put into it, gets its size there. */
function keepSteady(section, aim, frames = 4) {
  steady(section, aim)
  if (frames) requestAnimationFrame(() => keepSteady(section, aim, frames - 1))
}

/** Change something above the calls on the page: whoever aims at Reject hits it all the same. */
export function keepingAim(change) {
  const aims = [...document.querySelectorAll("section[data-confirmation]")].map(section => [section, aimOf(section)])
  change()
  for (const [section, aim] of aims) keepSteady(section, aim)
}

const SENT = "The approval was sent. What became of it cannot be read right now."

/** While a call cannot be read: an approval that is over is not said to be about to be sent, but what its row tells of it. */
export function retellHold(section, row) {
  const place = section?.querySelector("[data-answering]")
  const hold = place?.querySelector("[role=timer], [data-on-its-way]")
  if (!hold || row.dataset.held) return
  const hadFocus = place.contains(document.activeElement)
  for (const old of place.querySelectorAll(".answering__note, [formaction$='/cancel/']")) if (old !== hold) old.remove()
  const told = [...row.querySelectorAll(".call__note, .call__verdict")].map(note => `${note.textContent}.`).join(" ")
  const note = Object.assign(document.createElement("p"), { className: "answering__note", textContent: told || SENT })
  note.role = "status"
  hold.replaceWith(note)
  if (!hadFocus || place.contains(document.activeElement)) return
  section.tabIndex = -1
  section.focus({ preventScroll: true })
}

/** While a call still waits: what was said of an answer to it is said until the next one. */
function keepSaid(old, fresh) {
  const [before, now] = [old, fresh].map(section => section.querySelector("[data-answering]:has([data-give])"))
  if (!before || !now) return
  const failure = before.querySelector(":scope > [role=alert]")
  if (failure && !now.querySelector(":scope > [role=alert]")) now.prepend(failure)
  now.querySelector("[data-said]").textContent = before.querySelector("[data-said]").textContent
}

const latest = new WeakMap() // what is to be replaced -> the newest telling of it

/** Put `fresh` where `old` is: what was typed, what was said of an answer, the caret, the focus and what was unfolded stay, and Reject
    where it was. Never between the press of a button and its release, which would swallow the click, nor before an answer that was sent
    from it has come back. */
export async function replaceKeeping(old, fresh) {
  latest.set(old, fresh)
  await lifted
  await answered(old)
  if (!old.isConnected || latest.get(old) !== fresh) return // what was answered took its place, or what is newer takes it
  markChanged(fresh)
  const focused = old.contains(document.activeElement) ? document.activeElement : null
  const caret = focused?.selectionStart != null ? [focused.selectionStart, focused.selectionEnd] : null
  const typed = new Map(fields(old).map(field => [field.name, field]))
  for (const field of fields(fresh)) {
    const before = typed.get(field.name)
    if (!before) continue
    if (field.type === "checkbox") field.checked = before.checked
    else if (before.value !== before.defaultValue) field.value = before.value
  }
  const open = [...old.querySelectorAll("details")].map(details => details.open)
  fresh.querySelectorAll("details").forEach((details, index) => (details.open = open[index] ?? details.open))
  keepSaid(old, fresh)
  fresh.querySelector("[data-comparison]")?.replaceChildren(...(old.querySelector("[data-comparison]")?.childNodes ?? []))
  const name = focused && nameOf(focused)
  const aim = aimOf(old)
  old.replaceWith(fresh)
  keepSteady(fresh, aim)
  window.htmx?.process(fresh)
  if (!focused) return
  const again = [...fresh.querySelectorAll("input, textarea, button, summary, a")].find(element => nameOf(element) === name)
  if (!again) fresh.tabIndex = -1
  ;(again ?? fresh).focus({ preventScroll: true }) // never lost, wherever the form went
  if (again && caret) again.setSelectionRange(...caret)
}
