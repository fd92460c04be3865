// Looks after an answer that htmx posts: the focus stays with the item when its form is replaced, and a failure is said in words. The
// form works without it, and without htmx.
const FAILED = "Your answer could not be sent. Please try again."
let answered = "" // id of the item that was answered last

function itemOf(id) {
  return [...document.querySelectorAll("[data-confirmation]")].find(item => item.dataset.confirmation === id)
}

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  answered = detail.elt.closest("[data-confirmation]")?.dataset.confirmation ?? ""
})

document.addEventListener("htmx:afterSettle", () => {
  const item = answered && itemOf(answered)
  answered = ""
  if (!item || document.activeElement !== document.body) return
  const reason = item.querySelector("[name=reason]")
  if (!reason) item.tabIndex = -1
  ;(reason ?? item).focus({ preventScroll: true })
})

function say({ detail }) {
  const form = detail.elt.closest("[data-answering]")
  if (!form) return
  const sentence = form.querySelector(".wrong") ?? document.createElement("p")
  sentence.className = "wrong"
  sentence.role = "alert"
  sentence.textContent = FAILED
  form.prepend(sentence)
}

document.addEventListener("htmx:sendError", say)
document.addEventListener("htmx:responseError", say)
