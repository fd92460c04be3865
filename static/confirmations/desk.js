// Keeps the list of the desk in step with the socket. While pointer or focus is in it nothing moves: new calls gather behind a bar and
// decided ones keep their place; else each goes where it belongs. Without it: the list is right when it is loaded.
import { offer, startFiltering, wanted } from "confirmations/filters"
import { fetched } from "confirmations/fragment"
import { elements, fits, groupOf, inOrder, isWaiting } from "confirmations/rows"

const list = document.querySelector("[data-desk]")
const unreadable = document.querySelector("[data-unreadable]")
const bar = document.querySelector("[data-fresh]")
const known = new Map() // id -> its row, as it was told last, shown or not
const FADES = 4000 // ms that a verdict is fully there before it fades
const STAYS = 6000 // ms until it is gone, where no socket says so
const LINGERS = 1500 // ms for which a finger that was lifted may come back
const hovers = matchMedia("(hover: hover)")
let offset = 0 // ms: the gateway's clock minus this one
let isTouched = false // a finger is on the list, or was a moment ago
let lifting

const idOf = row => row.dataset.confirmation
const isShown = row => row.parentElement === list
const hasFocus = () => list.contains(document.activeElement) || document.activeElement === bar // which is about to be pressed
const isBusy = () => hasFocus() || isTouched || (hovers.matches && list.matches(":hover"))
const isWanted = row => fits(row, wanted(), Date.now() + offset)
const waitsOutside = () => [...known.values()].filter(row => !isShown(row) && isWaiting(row) && isWanted(row))

function heading(name) {
  const heap = document.querySelector("[data-heading]").content.firstElementChild.cloneNode(true)
  heap.dataset.heap = heap.firstElementChild.textContent = name
  return heap
}

function insert(row) {
  const by = wanted().get("group")
  const before = inOrder(by)
  const name = groupOf(row, by)
  const next = [...list.children].find(one => (one.dataset.heap === undefined ? before(row, one) < 0 : one.dataset.heap > name))
  list.insertBefore(row, next ?? null)
  if (name && ![...list.children].some(one => one.dataset.heap === name)) row.before(heading(name))
  row.querySelector("a").search = location.search
}

function remove(row) {
  const above = row.previousElementSibling
  row.remove()
  if (above?.dataset.heap !== undefined && above.nextElementSibling?.dataset.heap !== undefined) above.remove()
  else if (above?.dataset.heap !== undefined && !above.nextElementSibling) above.remove()
  if (!list.childElementCount) list.replaceChildren() // no white space left: styles look for an empty list
}

/** In its place, with the focus, the tick and the mark of the open one. */
function retell(old, fresh) {
  const focused = old.contains(document.activeElement) && document.activeElement.tagName
  const tick = fresh.querySelector("input")
  tick.checked = old.querySelector("input").checked && !tick.disabled
  const link = fresh.querySelector("a")
  link.search = location.search
  if (old.querySelector("[aria-current]")) link.setAttribute("aria-current", "true")
  old.replaceWith(fresh)
  if (focused) (focused === "INPUT" && !tick.disabled ? tick : link).focus({ preventScroll: true })
}

function put(fresh) {
  const id = idOf(fresh)
  const old = known.get(id)
  offer(fresh)
  if (old && old.dataset.version === fresh.dataset.version && old.dataset.state === fresh.dataset.state) return
  known.set(id, fresh)
  if (old && isShown(old)) retell(old, fresh)
  else if (isWaiting(fresh) && isWanted(fresh) && !isBusy()) {
    fresh.dataset.new = ""
    insert(fresh)
  }
  if (!isWaiting(fresh)) setTimeout(() => (known.get(id) ?? fresh).dataset.leaving ||= "soon", FADES)
  document.dispatchEvent(new CustomEvent("desk:row", { detail: { row: fresh } }))
}

function drop(id) {
  const row = known.get(id)
  known.delete(id)
  if (!row || !isShown(row)) return
  row.dataset.leaving = "gone"
  row.querySelector("input").disabled = true
  if (!isBusy()) settle()
}

/** Nobody's hands are here, or somebody asked for it: what is gone leaves, what is new goes where it belongs. */
function settle() {
  for (const row of list.querySelectorAll("[data-leaving=gone]")) if (!row.contains(document.activeElement)) remove(row)
  for (const row of waitsOutside()) insert(row)
  tally()
}

/** Calls that ended while this page was away: how each did is asked for, and shown as if it had been told. */
async function catchUp(rows) {
  for (const row of rows) {
    const id = idOf(row)
    try {
      const fresh = await fetched(`/confirmations/${encodeURIComponent(id)}/row/`)
      if (known.get(id) !== row || isWaiting(fresh)) continue
      put(fresh)
      setTimeout(() => known.get(id) === fresh && drop(id), STAYS)
    } catch {
      if (known.get(id) === row) drop(id)
    }
    tally()
  }
}

/** Nothing moves any more under the hands that were here, unless others are. */
const letGo = () => setTimeout(() => isBusy() || settle())

function lifted() {
  clearTimeout(lifting)
  lifting = setTimeout(() => {
    isTouched = false
    letGo()
  }, LINGERS)
}

function rearrange() {
  const focused = list.contains(document.activeElement) && document.activeElement
  const rows = [...known.values()].filter(isWanted)
  list.replaceChildren()
  for (const row of rows.sort(inOrder(wanted().get("group")))) insert(row)
  if (focused) (focused.isConnected ? focused : list.querySelector("a"))?.focus({ preventScroll: true })
  tally()
}

function tally() {
  const asked = wanted()
  const waiting = [...known.values()].filter(isWaiting)
  const others = waiting.filter(row => fits(row, asked, Date.now() + offset, "risk"))
  for (const place of document.querySelectorAll("[data-count]")) {
    const risk = place.dataset.count
    const number = others.filter(row => row.dataset.risk === risk).length
    place.querySelector("b").textContent = number
    place.toggleAttribute("aria-current", asked.get("risk") === risk)
    place.hidden = !number && asked.get("risk") !== risk
  }
  const gathered = waitsOutside().length
  bar.hidden = !gathered
  bar.textContent = `${gathered} new`
  const hidden = waiting.length - waiting.filter(isWanted).length
  document.querySelector("[data-queue-empty]").hidden = hidden > 0 || !unreadable.hidden
  document.querySelector("[data-queue-filtered]").hidden = !hidden
  document.querySelector("[data-hidden-count]").textContent = hidden
  document.dispatchEvent(new CustomEvent("desk:changed"))
}

for (const row of list.querySelectorAll("[data-confirmation]")) known.set(idOf(row), row)
document.addEventListener("confirmations:clock", ({ detail }) => (offset = detail.offset))
document.addEventListener("confirmations:unreadable", ({ detail }) => {
  const words = unreadable.querySelector("p")
  if (words.textContent === detail.sentence) return
  words.textContent = detail.sentence
  unreadable.hidden = !detail.sentence
  tally()
})
document.addEventListener("confirmations:queue", ({ detail }) => {
  document.querySelector("[data-queue-problem]")?.remove()
  const fresh = elements(detail.html)
  const ids = new Set(fresh.map(idOf))
  const missing = [...known.values()].filter(row => !ids.has(idOf(row)))
  for (const row of missing) if (!isWaiting(row)) drop(idOf(row))
  fresh.forEach(put)
  catchUp(missing.filter(isWaiting))
  startFiltering(rearrange)
  tally()
})
document.addEventListener("confirmations:item", ({ detail }) => {
  elements(detail.html).forEach(put)
  tally()
})
document.addEventListener("confirmations:gone", ({ detail }) => {
  drop(detail.id)
  tally()
})
list.addEventListener("pointerleave", letGo)
list.addEventListener("focusout", letGo)
list.addEventListener("touchstart", ({ target }) => {
  clearTimeout(lifting)
  isTouched = true
  for (const end of ["touchend", "touchcancel"]) target.addEventListener(end, lifted) // its row may be replaced meanwhile
}, { passive: true })
bar.addEventListener("focusout", letGo)
bar.addEventListener("click", ({ detail: clicks }) => {
  const fresh = new Set(waitsOutside())
  settle()
  if (clicks) return // with a pointer
  const first = [...list.children].find(row => fresh.has(row)) ?? list
  first.querySelector("a")?.focus()
})
setInterval(() => wanted().has("expiring") && !isBusy() && settle(), 1000) // more of them have little time left
