// Decides with the keyboard alone; can be switched off. Never while somebody types, and what approves is the very button of the form.
import { close, neighbour, open, openId, rowOf, section } from "confirmations/open"

const help = document.querySelector("[data-help-dialog]")
const toggle = document.querySelector("[data-keys]")
const find = document.querySelector("[data-filters] [name=q]")
const fresh = document.querySelector("[data-fresh]")
const STORED = "portico-keys"
const isOn = () => localStorage.getItem(STORED) !== "off"
const types = target => target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog")

function move(step) {
  const row = neighbour(step)
  if (!row) return step > 0 && !fresh.hidden ? fresh.focus() : undefined
  row.querySelector("a").focus({ preventScroll: true })
  row.scrollIntoView({ block: "nearest" })
  open(row)
}

function enter() {
  const inside = section()
  if (!inside) return
  inside.tabIndex = -1
  inside.focus()
}

function back() {
  document.activeElement.blur() // first: leaving a filter may change the rows
  if (matchMedia("(width < 64rem)").matches) return openId() && close()
  const row = rowOf(openId()) ?? neighbour(1)
  row?.querySelector("a").focus({ preventScroll: true })
}

/** An empty field that has to be filled before it goes: the focus goes there instead. */
function wanting(...names) {
  const field = names.map(name => section()?.querySelector(`[name=${name}]`)).find(one => one && !one.value.trim())
  field?.focus()
  return Boolean(field)
}

function approve() {
  const button = section()?.querySelector("[formaction$='/confirm/']")
  if (!button) return
  if (section().dataset.risk !== "critical" || !wanting("tool_name", "reason")) button.click()
}

function select() {
  const tick = rowOf(openId())?.querySelector("[name=item]")
  if (tick?.disabled) document.dispatchEvent(new CustomEvent("desk:cannot-select", { detail: { row: rowOf(openId()) } }))
  else tick?.click()
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  a: approve,
  r: () => section()?.querySelector("[name=reason]")?.focus(),
  x: select,
  c: () => document.querySelector("[data-sending] [data-cancel-all]")?.click(),
  d: () => section()?.querySelector("[data-compare]")?.click(),
  "/": () => find.focus(),
  "?": () => help.showModal(),
  Escape: back,
}

document.addEventListener("keydown", event => {
  const { key, target } = event
  if (!isOn() || event.defaultPrevented || !target.closest || event.ctrlKey || event.metaKey || event.altKey) return
  if (key === "Escape" && (target.closest("[data-detail]") || target === find)) {
    event.preventDefault()
    return back()
  }
  if (types(target) || document.querySelector("dialog[open]")) return
  if (key === "Enter" && target.closest("[data-open][aria-current]")) {
    event.preventDefault()
    return enter()
  }
  if (!Object.hasOwn(KEYS, key) || (event.repeat && key !== "j" && key !== "k")) return
  event.preventDefault()
  KEYS[key]()
})

toggle.checked = isOn()
toggle.addEventListener("change", () => localStorage.setItem(STORED, toggle.checked ? "on" : "off"))
document.querySelector("[data-help]").addEventListener("click", () => help.showModal())
document.querySelector("[data-tools]").hidden = false
