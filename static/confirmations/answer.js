// Looks after an answer: only what was on screen for long enough is approved, the focus stays with the call when its form is replaced,
// and a failure is said in words. The form works without it, and without htmx; then a page asks once more.
import { hasChanged, isSteady } from "confirmations/steady"

const CHANGED = "Not approved: this just changed. Look at it once more, then approve."
const NEW = "Not approved: this just came up. Look at it first, then approve."
const FAILED = "Your answer could not be sent. Please try again."
let answered = "" // id of the item that was answered last

/** At the button that was pressed, until the next press. */
function say(button, sentence) {
  const place = button.closest("form").querySelector("[data-said]")
  place.textContent = sentence
  if (sentence) place.scrollIntoView({ block: "nearest" })
}

/** Whether this answer may go; says why not. A rejection always may, and whatever else is in the form, such as Claim. */
function mayGo(button) {
  if (!button?.dataset.give) return true
  const isEarly = button.dataset.give === "approve" && !isSteady(button)
  say(button, isEarly ? (hasChanged(button) ? CHANGED : NEW) : "")
  return !isEarly
}

document.addEventListener("htmx:confirm", event => mayGo(event.detail.elt) || event.preventDefault())
document.addEventListener("htmx:configRequest", ({ detail }) => detail.elt.dataset.give && detail.formData.delete("ask"))
document.addEventListener("submit", event => {
  if (!mayGo(event.submitter)) event.preventDefault()
  else if (event.submitter?.dataset.give) event.target.querySelector("[name=ask]")?.remove()
})

document.addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.target.name !== "tool_name") return
  event.preventDefault() // it would press the first button, which rejects: nobody types a name for that
  event.target.form.elements.reason.focus()
})

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  answered = detail.elt.closest("[data-answer]") ? (detail.elt.closest("section[data-confirmation]")?.dataset.confirmation ?? "") : ""
})

document.addEventListener("htmx:afterSettle", () => {
  const sections = [...document.querySelectorAll("section[data-confirmation]")]
  const item = answered && sections.find(section => section.dataset.confirmation === answered)
  answered = ""
  if (!item || document.activeElement !== document.body) return
  const wanted = item.querySelector("[role=alert]") && [...item.querySelectorAll("[name=tool_name], [name=reason]")].find(one => !one.value.trim())
  const field = wanted || item.querySelector("[name=reason]")
  if (!field) item.tabIndex = -1
  ;(field ?? item).focus({ preventScroll: true })
})

function fail({ detail }) {
  const form = detail.elt.closest("[data-answering]")
  if (!form) return
  const isOurs = detail.xhr.getResponseHeader("Content-Type")?.startsWith("text/plain")
  const notice = form.querySelector("[data-failed]") ?? form.querySelector("template[data-failure]").content.firstElementChild.cloneNode(true)
  notice.querySelector("p").textContent = (isOurs && detail.xhr.responseText) || FAILED
  form.prepend(notice)
  notice.scrollIntoView({ block: "nearest" })
}

document.addEventListener("htmx:sendError", fail)
document.addEventListener("htmx:responseError", fail)
