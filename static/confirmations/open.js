// Opens a call beside the list: its address, its markup, and what changes in it while it is open. Without it: each call has a page.
import { isWaiting } from "confirmations/rows"
import { prefetch, replaceKeeping, retellHold, sectionOf } from "confirmations/fragment"

const desk = document.querySelector("main.desk")
const list = document.querySelector("[data-desk]")
const detail = document.querySelector("[data-detail]")
const place = detail.querySelector("[data-place]")
const PATIENCE = 150 // ms until a skeleton says that something is on its way
const HASTE = 120 // ms: who goes from row to row quicker than that reads none of them
let hurried = 0 // when a call was opened last
let latest = 0 // what was opened last wins, whatever comes when
let position = 0 // among the rows, of the one that was open last: the next one follows it, even when it is gone

const rows = () => [...list.querySelectorAll("[data-confirmation]")]
export const rowOf = id => rows().find(row => row.dataset.confirmation === id)
export const openId = () => detail.dataset.of ?? ""
/** The call that is read here; none while another one is on its way: what is still seen then was left behind. */
export const section = () => [...place.querySelectorAll("section[data-confirmation]")].find(one => one.dataset.confirmation === openId())

/** The row that waits next after the open one, or before it; the first one when none is open. */
export function neighbour(step) {
  const all = rows()
  const here = all.indexOf(rowOf(openId()))
  const from = here >= 0 ? here + step : openId() ? position + (step > 0 ? 0 : -1) : 0
  for (let index = from; index >= 0 && index < all.length; index += step) if (isWaiting(all[index])) return all[index]
  return null
}

function mark(id) {
  for (const link of list.querySelectorAll("[data-open][aria-current]")) link.removeAttribute("aria-current")
  rowOf(id)?.querySelector("[data-open]").setAttribute("aria-current", "true")
  position = Math.max(0, rows().indexOf(rowOf(id)))
  desk.classList.toggle("desk--open", Boolean(id))
  if (id) detail.dataset.of = id
  else delete detail.dataset.of
}

const template = name => document.querySelector(`template[data-${name}]`).content.cloneNode(true)

const tell = () => document.dispatchEvent(new CustomEvent("desk:opened", { detail: { name: section()?.ariaLabel ?? "Approvals" } }))

function put(fresh) {
  place.replaceChildren(fresh)
  detail.scrollTop = 0
  window.htmx?.process(place)
  tell()
}

/** Open the call of this row; `push` says whether going back leads to what is open now. */
export async function open(row, { push = true } = {}) {
  const id = row.dataset.confirmation
  const mine = ++latest
  const address = row.querySelector("a").href
  if (push && address !== location.href) history.pushState({}, "", address)
  mark(id)
  const isHasty = performance.now() - hurried < HASTE
  hurried = performance.now()
  if (isHasty) await new Promise(done => setTimeout(done, HASTE))
  if (mine !== latest) return
  const slow = setTimeout(() => mine === latest && place.replaceChildren(template("skeleton")), PATIENCE)
  try {
    const fresh = await sectionOf(row)
    if (mine === latest) put(fresh)
  } catch {
    if (mine === latest) put(template("failed"))
  } finally {
    clearTimeout(slow)
  }
  const next = mine === latest && neighbour(1)
  if (next) prefetch(next)
}

/** Nothing is open; the focus goes to the row that was. */
export function close({ push = true } = {}) {
  const row = rowOf(openId())
  latest++
  if (push) history.pushState({}, "", detail.querySelector("[data-back]").pathname + location.search)
  mark("")
  place.replaceChildren(template("nothing"))
  tell()
  row?.querySelector("a").focus({ preventScroll: true })
}

const isPlain = event => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button)

list.addEventListener("click", event => {
  const link = event.target.closest("a[data-open]")
  if (!link || !isPlain(event)) return
  event.preventDefault()
  open(link.closest("[data-confirmation]"))
})

detail.addEventListener("click", event => {
  if (event.target.closest("[data-back]") && isPlain(event)) {
    event.preventDefault()
    close()
  } else if (event.target.closest(".notice .button") && !section()) {
    event.preventDefault()
    const row = rowOf(openId())
    row ? open(row, { push: false }) : location.reload()
  }
})

addEventListener("popstate", () => {
  const id = decodeURIComponent(location.pathname.split("/")[2] ?? "")
  if (id === openId()) return
  if (!id) return close({ push: false })
  const row = rowOf(id)
  row ? open(row, { push: false }) : location.reload()
})

// The open call changed: what is read of it changes, what is typed does not.
const asked = new Map() // id -> version that was fetched for it last
async function renew(row) {
  const { confirmation: id, version } = row.dataset
  if (id !== openId() || section()?.dataset.version === version || asked.get(id) === version) return
  asked.set(id, version)
  try {
    const fresh = await sectionOf(row)
    if (id === openId() && section() && asked.get(id) === version) replaceKeeping(section(), fresh)
  } catch {
    asked.delete(id)
    if (id === openId()) retellHold(section(), row)
  }
}
document.addEventListener("desk:row", ({ detail: { row } }) => renew(row))
document.addEventListener("confirmations:line", ({ detail: { to } }) => {
  const row = !to && rowOf(openId())
  if (row) renew(row) // it may have changed while it could not be read
})

document.addEventListener("desk:changed", () => {
  const here = rows().indexOf(rowOf(openId()))
  if (here >= 0) position = here
})
document.addEventListener("confirmations:open", ({ detail: { id } }) => {
  const row = rowOf(id)
  row ? open(row) : location.assign(`/confirmations/${encodeURIComponent(id)}/`)
})
if (!openId() && neighbour(1)) prefetch(neighbour(1))
