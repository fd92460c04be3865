// Keeps the list of the queue page, or the one item of its own page, in step with the socket. Nothing jumps: what is there keeps
// its place, new items come last, a form somebody is in stays theirs. Without it: the page is right when it is loaded.
const list = document.querySelector("[data-approval-queue], [data-approval]")
const only = list?.dataset.approval // the id, on the page of one item
const sources = new Map() // id -> what the socket sent last
const FADES = 4000 // ms that a verdict is fully there before it leaves
const LOOKS_AGAIN = 1000 // ms
const AT_REST = 5000 // ms without a movement or a key
let touched = 0

const find = id => [...list.children].find(item => item.dataset.confirmation === id)

function elements(html) {
  const template = document.createElement("template")
  template.innerHTML = html // rendered by our own templates, everything in it escaped there
  return [...template.content.children]
}

// The same call told again, perhaps with more words: what is around the form may change, the form is somebody's.
function retell(old, fresh) {
  for (const part of [".item__about", ".item__who"]) {
    const [before, after] = [old.querySelector(part), fresh.querySelector(part)]
    if (before && after) before.replaceWith(after)
    else if (after) old.querySelector("header").append(after)
  }
}

function replace(old, fresh) {
  const hadFocus = old.contains(document.activeElement)
  const wasOpen = old.querySelector("details")?.open
  old.replaceWith(fresh)
  window.htmx?.process(fresh)
  if (wasOpen) fresh.querySelector("details").open = true
  if (!hadFocus) return
  fresh.tabIndex = -1
  fresh.focus({ preventScroll: true }) // never lost, wherever the buttons went
}

function put(fresh) {
  const id = fresh.dataset.confirmation
  const old = find(id)
  const source = fresh.outerHTML
  if (!old && only) return
  if (!old) {
    fresh.dataset.new = ""
    list.append(fresh)
    window.htmx?.process(fresh)
  } else if (old.dataset.state !== fresh.dataset.state) replace(old, fresh)
  else if (fresh.dataset.state === "waiting" && sources.has(id) && sources.get(id) !== source) retell(old, fresh)
  sources.set(id, source)
  if (fresh.dataset.state !== "waiting" && !only) setTimeout(() => (find(id) ?? fresh).dataset.leaving ||= "soon", FADES)
}

function tally() {
  const waiting = [...list.children].filter(item => item.dataset.state === "waiting" && !item.dataset.leaving)
  for (const place of document.querySelectorAll("[data-count]")) {
    const number = waiting.filter(item => item.dataset.risk === place.dataset.count).length
    place.querySelector("b").textContent = number
    place.hidden = !number
  }
  const empty = document.querySelector("[data-queue-empty]")
  if (empty) empty.hidden = list.childElementCount > 0
  if (!list.childElementCount) list.replaceChildren() // no white space left: styles look for an empty list
}

// An item above the one that somebody points at or types in stays, faded, until hands are elsewhere or at rest: nothing moves
// under them.
function isAboveHands(item) {
  if (Date.now() - touched > AT_REST) return false
  for (let next = item.nextElementSibling; next; next = next.nextElementSibling)
    if (next.matches(":hover") || next.contains(document.activeElement)) return true
  return false
}

function drop(item) {
  if (!item?.isConnected) return
  item.dataset.leaving = "gone"
  for (const button of item.querySelectorAll("[data-answer] button")) button.disabled = true
  if (isAboveHands(item)) return setTimeout(() => item.dataset.leaving === "gone" && drop(item), LOOKS_AGAIN)
  const hadFocus = item.contains(document.activeElement)
  item.remove()
  if (hadFocus) (list.querySelector("button, input") ?? document.querySelector("#main")).focus({ preventScroll: true })
  tally()
}

const relevant = id => !only || id === only

if (list) {
  document.addEventListener("confirmations:queue", ({ detail }) => {
    document.querySelector("[data-queue-problem]")?.remove()
    const fresh = elements(detail.html).filter(item => relevant(item.dataset.confirmation))
    const ids = new Set(fresh.map(item => item.dataset.confirmation))
    if (!only) for (const item of [...list.children]) if (!ids.has(item.dataset.confirmation)) drop(item)
    fresh.forEach(put)
    tally()
  })
  document.addEventListener("confirmations:item", ({ detail }) => {
    if (relevant(detail.id)) elements(detail.html).forEach(put)
    tally()
  })
  document.addEventListener("confirmations:gone", ({ detail }) => {
    if (!only) drop(find(detail.id))
    tally()
  })
  document.addEventListener("htmx:afterSwap", tally)
  for (const touch of ["pointermove", "pointerdown", "keydown"])
    document.addEventListener(touch, () => (touched = Date.now()), { passive: true })
}
