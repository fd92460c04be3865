// Shows an approval that this person is asked for inside the chat that caused it: after each open tool call that it matches. Events
// and tool calls come in any order. Without it: the queue page has the same approval.
const log = document.querySelector("[role=log]")
const me = document.body.dataset.person
const waiting = new Map() // id -> item as the socket sent it last, decided ones included
const DECIDED = 8000 // ms that a verdict stays when nobody says that it is gone

function read(html) {
  const template = document.createElement("template")
  template.innerHTML = html // rendered by our own templates, everything in it escaped there
  return [...template.content.children].filter(item => item.dataset.endUser === me)
}

// As far as the event names them: a call without an agent, or whose arguments are not told, may be any such call.
const same = (told, open) => !told || !open || told === open

function matches(item, call) {
  return (
    same(item.dataset.agent, call.dataset.agent) &&
    item.dataset.tool === call.dataset.tool &&
    same(item.dataset.argumentsHash, call.dataset.argumentsHash)
  )
}

const copies = id => [...log.querySelectorAll("[data-inline-approval]")].filter(copy => copy.dataset.inlineApproval === id)

function place(id, item, call) {
  const copy = document.createElement("ul")
  copy.className = "items"
  copy.role = "list"
  copy.ariaLabel = "Approval needed"
  copy.dataset.inlineApproval = id
  copy.append(item.cloneNode(true))
  let after = call
  while (after.nextElementSibling?.dataset.inlineApproval) after = after.nextElementSibling
  after.after(copy)
  window.htmx?.process(copy)
}

function follows(call, id) {
  for (let next = call.nextElementSibling; next?.dataset.inlineApproval; next = next.nextElementSibling)
    if (next.dataset.inlineApproval === id) return true
  return false
}

function match() {
  for (const [id, item] of waiting) {
    if (item.dataset.state !== "waiting") continue
    for (const call of log.querySelectorAll("[data-open-call]"))
      if (matches(item, call) && !follows(call, id)) place(id, item, call)
  }
}

function remove(id) {
  waiting.delete(id)
  for (const copy of copies(id)) copy.remove()
}

function put(item) {
  const id = item.dataset.confirmation
  const before = waiting.get(id)
  waiting.set(id, item)
  if (before && before.dataset.state !== item.dataset.state) {
    for (const copy of copies(id)) {
      const hadFocus = copy.contains(document.activeElement)
      copy.replaceChildren(item.cloneNode(true))
      window.htmx?.process(copy)
      if (hadFocus) (document.querySelector("[name=message]") ?? log).focus({ preventScroll: true })
    }
  }
  if (item.dataset.state !== "waiting") setTimeout(() => waiting.get(id) === item && remove(id), DECIDED)
}

if (log && me) {
  document.addEventListener("confirmations:queue", ({ detail }) => {
    const fresh = read(detail.html)
    const ids = new Set(fresh.map(item => item.dataset.confirmation))
    for (const id of [...waiting.keys()]) if (!ids.has(id)) remove(id)
    fresh.forEach(put)
    match()
  })
  document.addEventListener("confirmations:item", ({ detail }) => {
    read(detail.html).forEach(put)
    match()
  })
  document.addEventListener("confirmations:gone", ({ detail }) => remove(detail.id))
  new MutationObserver(() => waiting.size && match()).observe(log, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["data-open-call", "data-arguments-hash"],
  })
}
