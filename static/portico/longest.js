// Says how much more fits into a field before all of it is used, and lets nothing go that would be refused for its length: the text
// stays, whole. `maxlength` would cut off what is pasted without a word. Without it: the server says so and gives the text back.
const WARN_AT = 0.9 // of what fits
const number = new Intl.NumberFormat("en")
const limitOf = field => Number(field.dataset.longest)

/** Characters as the server counts them: a surrogate pair is one, space around the text is none. */
function lengthOf(text) {
  const trimmed = text.trim()
  let pairs = 0
  for (let at = 0; at < trimmed.length; at++) if ((trimmed.charCodeAt(at) & 0xfc00) === 0xdc00) pairs++
  return trimmed.length - pairs
}

/** Bytes of a form as it is sent: a character may take twelve. */
function bytesOf(form) {
  const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string")
  const characters = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 2, 0)
  return characters * 9 < most ? characters : new URLSearchParams(fields).toString().length
}

const most = Number(document.body.dataset.mostBytes)

/** The words above a field or a form, an alert where nothing can be sent; below the buttons in a form that has a place for them. */
function say(place, sentence, isOver, form) {
  const own = form?.querySelector("[data-said]")
  if (own) {
    if (sentence || own.dataset.length) own.textContent = sentence
    own.dataset.length = sentence && "yes"
    return
  }
  let note = place.previousElementSibling
  if (!note?.matches("[data-length]")) {
    if (!sentence) return
    note = document.createElement("p")
    note.dataset.length = ""
    place.before(note)
  }
  note.className = isOver ? "length length--over" : "length"
  note.setAttribute("role", isOver ? "alert" : "status")
  note.textContent = sentence
  note.hidden = !sentence
}

function look(field) {
  const limit = limitOf(field)
  const isNear = field.value.length > WARN_AT * limit
  if (!isNear && !field.dataset.near) return
  field.dataset.near = isNear ? "yes" : ""
  const length = isNear ? lengthOf(field.value) : 0
  const over = Math.max(0, length - limit)
  const tooLong = over ? `Too long by ${number.format(over)} characters: at most ${number.format(limit)} can be sent. It stays here, whole.` : ""
  field.setCustomValidity(tooLong)
  const place = field.closest("[data-composer]") ?? field.closest("label, .field") ?? field
  say(place, tooLong || (isNear ? `${number.format(length)} of ${number.format(limit)} characters` : ""), over > 0, field.form)
}

/** Whether a form may not go, and says why: a field that is too long, or all of it together. */
function refuse(form) {
  const fields = [...form.elements].filter(one => one.dataset.longest)
  fields.forEach(look) // a script may have put the text in
  const field = fields.find(one => one.validity.customError)
  const bytes = bytesOf(form)
  if (field) form.querySelector("[data-said]")?.scrollIntoView({ block: "nearest" })
  if (field) field.reportValidity()
  else say(form, bytes > most ? `Too much to be sent at once: ${number.format(bytes)} bytes, at most ${number.format(most)} are taken. It stays here, whole.` : "", true, form)
  return Boolean(field) || bytes > most
}

function stop(event) {
  event.preventDefault()
  event.stopImmediatePropagation()
}

document.addEventListener("input", ({ target }) => target.dataset?.longest && look(target))
document.addEventListener("submit", event => event.target.method === "post" && refuse(event.target) && stop(event), { capture: true })
document.addEventListener("click", event => {
  const button = event.target.closest?.("button[data-give]") // these need not be valid, and do not wait for a submit
  if (button?.form && refuse(button.form)) stop(event)
}, { capture: true })
new MutationObserver(changes => {
  for (const { addedNodes } of changes)
    for (const node of addedNodes)
      if (node.nodeType === Node.ELEMENT_NODE)
        for (const field of node.querySelectorAll("[data-longest]")) setTimeout(look, 0, field) // what was typed is put in by then
}).observe(document.body, { childList: true, subtree: true })
const lookAtAll = () => document.querySelectorAll("[data-longest]").forEach(look)
addEventListener("DOMContentLoaded", lookAtAll)
addEventListener("pageshow", lookAtAll)
