// Knows which calls have been on screen, unchanged, for long enough to have been looked at: nothing else may be approved. Without it:
// a page asks once more.
const LONG_ENOUGH = 600 // ms
const CALLS = "section[data-confirmation], [data-together]"
const since = new Map() // what is in view -> when it came there, or changed last
const changed = new WeakSet() // what changed while it was in view

const views = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) since.delete(target)
    else if (!since.has(target)) since.set(target, performance.now())
  }
})

function begin() {
  for (const call of since.keys()) since.set(call, performance.now())
}

function watch(root) {
  if (root.matches(CALLS)) views.observe(root)
  for (const call of root.querySelectorAll(CALLS)) views.observe(call)
}

/** Whether the call that this stands in changed under somebody's eyes, rather than just came into view. */
export const hasChanged = element => changed.has(element.closest(CALLS))

/** Say that this took the place of an older telling of the same call. */
export const markChanged = call => changed.add(call)

/** Whether the call that this stands in may be approved. */
export function isSteady(element) {
  const from = since.get(element.closest(CALLS))
  return !document.hidden && performance.now() - from >= LONG_ENOUGH
}

watch(document.body)
new MutationObserver(changes => {
  for (const { type, target, addedNodes } of changes) {
    if (type === "attributes" && since.has(target)) {
      since.set(target, performance.now())
      changed.add(target)
    }
    for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) watch(node)
  }
}).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-version"] })
document.addEventListener("visibilitychange", begin) // a hidden tab is not looked at
addEventListener("pageshow", begin)
