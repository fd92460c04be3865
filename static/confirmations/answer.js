// Looks after an answer: only what was on screen for long enough is approved, the focus stays with the call when its form is replaced,
// and a failure is said in words. The form works without it, and without htmx; then a page asks once more.
import { hasChanged, isSteady } from "confirmations/steady"

const CHANGED = "Not approved: this just changed. Look at it once more, then approve."
const NEW = "Not approved: this just came up. Look at it first, then approve."
const DOUBLE = "Not cancelled: that was a double click. Press once more to cancel."
const FAILED = "Your answer could not be sent. Please try again."
const UNREAD = "The comparison cannot be shown right now. Please try again."
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

// The second half of a double click on Approve, or Enter held down on it, is not meant for what took its place.
const cancelOf = target => target.closest?.("[data-answer] [formaction$='/cancel/']")
document.addEventListener("keydown", event => event.repeat && cancelOf(event.target) && event.preventDefault())
document.addEventListener("click", event => {
  const button = event.detail > 1 && cancelOf(event.target)
  if (!button) return
  event.preventDefault()
  event.stopImmediatePropagation()
  say(button, DOUBLE)
}, { capture: true })

document.addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.target.name !== "tool_name") return
  event.preventDefault() // it would press the first button, which rejects: nobody types a name for that
  event.target.form.elements.reason.focus()
})

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  answered = detail.elt.closest("[data-answer]") ? (detail.elt.closest("section[data-confirmation]")?.dataset.confirmation ?? "") : ""
})

/** Where somebody goes on after an answer: what they have to fill in, else what they can take back, else the call as it stands. */
function next(item) {
  const fields = item.querySelector("[role=alert]") ? [...item.querySelectorAll("[name=tool_name], [name=reason]")] : []
  return fields.find(field => !field.value.trim()) ?? item.querySelector("[formaction$='/cancel/']") ?? item
}

document.addEventListener("htmx:afterSwap", () => { // at once: what was put there may soon be replaced by a newer telling
  const sections = [...document.querySelectorAll("section[data-confirmation]")]
  const item = answered && sections.find(section => section.dataset.confirmation === answered)
  answered = ""
  if (!item || document.activeElement !== document.body) return
  const place = next(item)
  if (place === item) item.tabIndex = -1
  place.focus({ preventScroll: true })
})

/** What failed looks like it: at the form that it was sent from, or where the comparison would be. */
function fail({ detail }) {
  const form = detail.elt.closest("[data-answering]")
  const place = form ?? (detail.elt.matches("[data-compare]") && detail.target)
  if (!place) return
  const isOurs = detail.xhr.getResponseHeader("Content-Type")?.startsWith("text/plain")
  const notice = place.querySelector("[data-failed]") ?? document.querySelector("[data-failure]").content.firstElementChild.cloneNode(true)
  notice.setAttribute("role", "alert")
  notice.querySelector("p").textContent = (isOurs && detail.xhr.responseText) || (form ? FAILED : UNREAD)
  form ? form.prepend(notice) : place.replaceChildren(notice)
  notice.scrollIntoView({ block: "nearest" })
}

document.addEventListener("htmx:sendError", fail)
document.addEventListener("htmx:responseError", fail)
