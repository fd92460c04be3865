// Keeps what was typed for an answer, in this tab and for this person alone, until it is given: over a reload, and while they sign in
// again. Without it: a reason that was sent in vain is kept on the server.
const PREFIX = "portico-typed "
const mine = `${PREFIX}${document.body.dataset.person} `
const keyOf = section => mine + section.dataset.confirmation
const SECTION = "section[data-confirmation]"

function look(section) {
  if (section.dataset.state !== "waiting") return sessionStorage.removeItem(keyOf(section))
  const reason = section.querySelector("[name=reason]")
  if (reason?.value) sessionStorage.setItem(keyOf(section), reason.value) // the server had kept it, and gives it once
  else if (reason) reason.value = sessionStorage.getItem(keyOf(section)) ?? ""
}

for (const key of Object.keys(sessionStorage))
  if (key.startsWith(PREFIX) && !key.startsWith(mine)) sessionStorage.removeItem(key) // somebody else's

document.addEventListener("input", ({ target }) => {
  const section = target.name === "reason" && target.closest(SECTION)
  if (section) sessionStorage.setItem(keyOf(section), target.value)
})
document.querySelectorAll(SECTION).forEach(look)
new MutationObserver(changes => {
  for (const { addedNodes } of changes)
    for (const node of addedNodes)
      if (node.nodeType === Node.ELEMENT_NODE) [node, ...node.querySelectorAll(SECTION)].filter(one => one.matches(SECTION)).forEach(look)
}).observe(document.body, { childList: true, subtree: true })
