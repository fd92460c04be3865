// Redraws in place what the server rendered anew: only what differs is touched. What somebody types, unfolds, selects or has in
// focus stays as it is, and so do the cards that other scripts put between. Without it: a reload shows the same.
const ASIDE = "[data-inline-approval], [data-tail]" // put between by others: they stay where they are

const isAside = (node) => node.nodeType === Node.ELEMENT_NODE && node.matches(ASIDE)
const own = (parent) => [...parent.childNodes].filter((node) => !isAside(node))
const keyOf = ({ dataset, id }) => dataset?.step ?? dataset?.kept ?? dataset?.connect ?? dataset?.approval ?? (id || "")
const isAlike = (old, fresh) => old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh)

/** Make an element what another one is; both are the same thing. */
export function redraw(old, fresh) {
  if (!isAlike(old, fresh)) return replace(old, fresh)
  if (old.isEqualNode(fresh)) return
  if (old.nodeType === Node.TEXT_NODE) return rewrite(old, fresh.data)
  if (old.nodeType !== Node.ELEMENT_NODE) return replace(old, fresh)
  const hasEnded = old.hasAttribute("data-began-open") && !fresh.hasAttribute("data-began-open")
  for (const { name, value } of [...fresh.attributes])
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value)
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name)
  if (hasEnded) old.open = fresh.open // it began open because it was running; else it is as open as somebody left it
  redrawInside(old, fresh)
}

/** Make what stands in an element, or a fragment, what stands in another one. */
export function redrawInside(old, fresh) {
  const wanted = [...fresh.childNodes]
  const keys = new Set(wanted.map(keyOf).filter(Boolean))
  const left = own(old)
  for (const node of wanted) {
    const key = keyOf(node)
    const at = key ? left.findIndex((one) => keyOf(one) === key) : left.findIndex((one) => isAlike(one, node))
    const isInOrder = at >= 0 && left.slice(0, at).every((one) => !keys.has(keyOf(one)))
    if (!isInOrder) {
      if (key && at >= 0) drop(left.splice(at, 1)[0])
      old.insertBefore(node, left[0] ?? asideAtEnd(old))
      continue
    }
    left.splice(0, at).forEach(drop)
    redraw(left.shift(), node)
  }
  left.forEach(drop)
}

/** With the cards that stood after it: they find their place again. */
function drop(node) {
  while (node.nextElementSibling?.matches("[data-inline-approval]")) node.nextElementSibling.remove()
  node.remove()
}

/** What others put at the very end, and wants to stay there. */
const asideAtEnd = (parent) => (parent.lastElementChild?.matches("[data-tail]") ? parent.lastElementChild : null)

/** More of a text is added, so that what is selected in it stays. */
function rewrite(old, text) {
  if (text.startsWith(old.data)) old.appendData(text.slice(old.data.length))
  else old.data = text
}

const FOCUSABLE = "summary, a[href], button, [tabindex]"
const focusable = (root) => (root.querySelectorAll ? [...root.querySelectorAll(FOCUSABLE)].filter((one) => !one.closest(ASIDE)) : [])
const folded = (root) => (root.querySelectorAll ? [root, ...root.querySelectorAll("details")].filter((one) => one.matches("details")) : [])

/** Put another thing in the place of one, as open as that was, and with the focus where it was. */
function replace(old, fresh) {
  const focused = focusable(old).indexOf(document.activeElement)
  const were = new Map(folded(old).map((one) => [keyOf(one), one]))
  for (const one of folded(fresh)) {
    const was = were.get(keyOf(one))
    if (was && !(was.hasAttribute("data-began-open") && !one.hasAttribute("data-began-open"))) one.open = was.open
  }
  old.replaceWith(fresh)
  if (focused >= 0) focusable(fresh)[focused]?.focus({ preventScroll: true }) // a step only grows at its end
}
