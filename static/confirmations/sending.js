// Keeps the bar of approvals that are about to be sent in step, and the focus in it. Without it: the bar is right when the page is
// loaded, and its buttons are those of a form.
import { replaceKeeping } from "confirmations/fragment"
import { elements } from "confirmations/rows"

const me = document.body.dataset.person
const MOMENT = 80 // ms in which changes are taken together
const SAID = 6000 // ms that a sentence about what was done stays
let soon
let later
let saidUntil = 0 // performance.now()
const looks = new Map() // ids that a bar is of, or undefined -> number of its latest look

const bars = () => [...document.querySelectorAll("[data-sending]")]

/** A look at what a bar is of: only the latest one counts. */
function begin(of) {
  const number = (looks.get(of) ?? 0) + 1
  looks.set(of, number)
  return number
}

async function renew({ dataset: { of } }) {
  const mine = begin(of)
  const ids = of?.split(" ").map(id => ["of", id]) ?? []
  try {
    const answer = await fetch(`/confirmations/sending/?${new URLSearchParams(ids)}`, { headers: { "HX-Request": "true" } })
    if (!answer.ok || answer.headers.has("HX-Redirect")) return
    const [fresh] = elements(await answer.text())
    const bar = bars().find(one => one.dataset.of === of)
    if (!bar || looks.get(of) !== mine) return
    if (bar.querySelector(".htmx-request")) return // the answer to it takes this place, and is followed by another look
    if (performance.now() < saidUntil && !bar.dataset.of) keepSaid(bar, fresh)
    if (!bar.contains(document.activeElement) || fresh.querySelector("button")) await replaceKeeping(bar, fresh)
    else leave(bar, fresh)
  } catch {} // the next change tries again
}

function keepSaid(bar, fresh) {
  fresh.querySelector("[data-sending-said]").textContent = bar.querySelector("[data-sending-said]").textContent
  fresh.hidden = false
}

/** Nothing is left to press where the focus is: it goes to the call that is open, or to the page. */
function leave(bar, fresh) {
  bar.replaceWith(fresh)
  const close = fresh.closest("dialog")?.querySelector("[data-close]")
  const place = close ?? document.querySelector("[data-place] section[data-confirmation]") ?? document.querySelector("main")
  if (place !== close) place.tabIndex = -1
  place.focus({ preventScroll: true })
}

function renewSoon(wait = MOMENT) {
  clearTimeout(soon)
  soon = setTimeout(() => bars().forEach(renew), wait)
}

const isDue = bar => bar.querySelector("[data-being-sent]:not([hidden])")
const lists = id => bars().some(bar => [...bar.querySelectorAll("[name=call]")].some(({ value }) => value === id))

if (bars().length) {
  document.addEventListener("confirmations:item", ({ detail: { id, html } }) => {
    if (html.includes(`data-held="${me}"`) || lists(id)) renewSoon()
  })
  document.addEventListener("confirmations:queue", () => renewSoon())
  document.addEventListener("htmx:afterRequest", ({ detail }) => detail.elt.closest("[data-answering]") && renewSoon())
  document.addEventListener("htmx:afterSwap", ({ target }) => {
    const bar = target.closest("[data-sending]")
    if (!bar) return
    begin(bar.dataset.of) // what was asked for before is older than this
    saidUntil = performance.now() + SAID
    clearTimeout(later)
    later = setTimeout(() => bars().forEach(renew), SAID + MOMENT)
    if (document.activeElement !== document.body) return
    if (!bar.querySelector("button")) return leave(bar, bar)
    bar.tabIndex = -1 // not a button: Enter may still be down
    bar.focus({ preventScroll: true })
  })
  // What is being sent, and whose turn has come, is told by the socket; a look of our own, should it not be.
  setInterval(() => document.hidden || bars().filter(isDue).forEach(renew), 1000)
}
