// Shows an approval that this person is asked for inside the chat that caused it: after each open tool call that it matches. Events
// and tool calls come in any order, and what an agent wrote is rendered anew around it. Once it has ended the step itself says how, in a line.
// Without it: the desk has the same approval.
import { answered, fetched, replaceKeeping, retellHold, sectionOf } from "confirmations/fragment"
import { elements, isWaiting } from "confirmations/rows"

const log = document.querySelector("[role=log]")
const me = document.body.dataset.person
const waiting = new Map() // id -> its row as the socket told it last, decided ones included
const made = new Map() // id -> copies, in the log or taken out of it with what was around them
const DECIDED = 8000 // ms that a verdict stays when nobody says that it is gone
const LOOKS = [0, 700, 1400] // ms between looks at a call of which the agent shows a result before the gateway's record does
let typing // the field of a copy that had the focus last

// As far as the event names them: a call without an agent, or whose arguments are not told, may be any such call.
const same = (told, open) => !told || !open || told === open

function matches(row, call) {
  return (
    same(row.dataset.agent, call.dataset.agent) &&
    row.dataset.tool === call.dataset.tool &&
    same(row.dataset.argumentsHash, call.dataset.argumentsHash)
  )
}

const copiesOf = id => made.get(id) ?? made.set(id, []).get(id)

/** The focus goes on from where a copy was. */
const leave = () => (document.querySelector("[name=message]") ?? log).focus({ preventScroll: true })

/** One that lost its place, with all that was typed in it; else a new one. */
function copyOf(id, row) {
  const lost = copiesOf(id).find(copy => !copy.isConnected)
  if (lost) return lost
  const copy = document.createElement("div")
  copy.role = "group"
  copy.ariaLabel = "Approval needed"
  copy.dataset.inlineApproval = id
  copiesOf(id).push(copy)
  fill(copy, row)
  return copy
}

async function fill(copy, row) {
  const { confirmation: id, version } = row.dataset
  copy.dataset.version = version
  try {
    const fresh = await sectionOf(row)
    if (waiting.get(id)?.dataset.version !== version) return
    const old = copy.firstElementChild
    const hadFocus = copy.contains(document.activeElement)
    if (old) await replaceKeeping(old, fresh)
    else copy.append(fresh)
    window.htmx?.process(copy)
    if (hadFocus && !isWaiting(row)) leave()
  } catch {
    delete copy.dataset.version // the next change tries again
    retellHold(copy.firstElementChild, row)
  }
}

function place(id, row, call) {
  const copy = copyOf(id, row)
  let after = call
  while (after.nextElementSibling?.dataset.inlineApproval) after = after.nextElementSibling
  after.after(copy)
  if (typing && copy.contains(typing) && document.activeElement === document.body) typing.focus({ preventScroll: true })
}

function follows(call, id) {
  for (let next = call.nextElementSibling; next?.dataset.inlineApproval; next = next.nextElementSibling)
    if (next.dataset.inlineApproval === id) return true
  return false
}

/** The agent shows a result of this call, and may be wrong: ask how the call stands, and go on offering answers until it is decided. */
async function look(copy) {
  const address = `/confirmations/${encodeURIComponent(copy.dataset.inlineApproval)}/`
  for (const pause of LOOKS) {
    await new Promise(done => setTimeout(done, pause))
    const old = copy.firstElementChild
    if (!copy.isConnected || old?.dataset.state !== "waiting") return
    try {
      const fresh = await fetched(address)
      if (fresh.dataset.state === "waiting" || fresh.dataset.state === "lost") continue // perhaps not written down yet
      await replaceKeeping(old, fresh)
      window.htmx?.process(copy)
      return
    } catch {} // the socket will tell
  }
}

/** The step of the agent that a copy stands after. */
function stepOf(copy) {
  let step = copy.previousElementSibling
  while (step?.dataset.inlineApproval) step = step.previousElementSibling
  return step
}

function lookAtEnded() {
  for (const copy of log.querySelectorAll("[data-inline-approval]")) {
    const isOpen = stepOf(copy)?.dataset.openCall !== undefined
    if (!isOpen && copy.dataset.isOpen) look(copy)
    isOpen ? (copy.dataset.isOpen = "yes") : delete copy.dataset.isOpen
  }
}

/** Whether a step says how this one ended. */
const isSaid = id => log.querySelector(`[data-approval="${CSS.escape(id)}"]`) !== null

/** The step says it: the card that was answered makes room, unless its answer is still on its way. */
async function makeRoom(id) {
  for (const copy of copiesOf(id)) if (copy.isConnected) await answered(copy)
  remove(id)
}

function match() {
  lookAtEnded()
  for (const id of [...made.keys()]) if (isSaid(id)) makeRoom(id)
  for (const [id, row] of waiting) {
    if (!isWaiting(row) || isSaid(id)) continue
    for (const call of log.querySelectorAll("[data-open-call]"))
      if (matches(row, call) && !follows(call, id)) place(id, row, call)
  }
}

function remove(id) {
  const hadFocus = copiesOf(id).some(copy => copy.contains(document.activeElement))
  waiting.delete(id)
  for (const copy of copiesOf(id)) copy.remove()
  made.delete(id)
  if (hadFocus) leave()
}

function put(row) {
  const { confirmation: id, version } = row.dataset
  waiting.set(id, row)
  for (const copy of copiesOf(id)) if (copy.dataset.version !== version) fill(copy, row)
  if (!isWaiting(row)) setTimeout(() => waiting.get(id) === row && remove(id), DECIDED)
}

const mine = html => elements(html).filter(row => row.dataset.endUser === me)

if (log && me) {
  document.addEventListener("confirmations:queue", ({ detail }) => {
    const fresh = mine(detail.html)
    const ids = new Set(fresh.map(row => row.dataset.confirmation))
    for (const id of [...waiting.keys()]) if (!ids.has(id)) remove(id)
    fresh.forEach(put)
    match()
  })
  document.addEventListener("confirmations:item", ({ detail }) => {
    mine(detail.html).forEach(put)
    match()
  })
  document.addEventListener("confirmations:gone", ({ detail }) => remove(detail.id))
  log.addEventListener("focusin", ({ target }) => (typing = target.closest("[data-inline-approval]") ? target : undefined))
  new MutationObserver(() => (waiting.size || made.size) && match()).observe(log, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["data-open-call", "data-arguments-hash"],
  })
}
