// Lets only those calls be selected together that may be answered together, and shows what differs in a dialog. Without it: any can be
// ticked, the same comes as a page, and the server says what may not be.
const form = document.querySelector("[data-bulk]")
const list = document.querySelector("[data-desk]")
const dialog = document.querySelector("[data-bulk-dialog]")
const why = form.querySelector("[data-why-not]")
const MOST = 25
const CRITICAL = "A critical call is answered by itself."

const ticked = () => [...list.querySelectorAll("[name=item]:checked")].map(tick => tick.closest("[data-confirmation]"))

/** Why this call cannot go with the others; empty when it can. */
function hindrance({ dataset: one }, [first, ...more]) {
  if (one.risk === "critical") return CRITICAL
  if (!first) return ""
  if (one.tool !== first.dataset.tool) return "Only calls of the same tool go together."
  if (one.risk !== first.dataset.risk) return "Only calls of the same risk go together."
  if (one.shape !== first.dataset.shape) return "Its arguments have other fields than those of the selected calls."
  return more.length + 1 >= MOST ? `At most ${MOST} calls go together.` : ""
}

function show(sentence = "") {
  const number = ticked().length
  form.hidden = !number && !sentence
  why.textContent = sentence
  form.querySelector("[data-chosen]").textContent = number ? `${number} selected` : ""
  for (const button of form.querySelectorAll("button")) {
    button.hidden = !number
    button.textContent = `${button.value === "approve" ? "Approve" : "Reject"} ${number}…`
  }
}

list.addEventListener("change", ({ target }) => {
  if (target.name !== "item") return
  const row = target.closest("[data-confirmation]")
  const sentence = target.checked ? hindrance(row, ticked().filter(one => one !== row)) : ""
  if (sentence) target.checked = false
  show(sentence)
})
document.addEventListener("desk:cannot-select", ({ detail: { row } }) => show(row.dataset.risk === "critical" ? CRITICAL : ""))
document.addEventListener("desk:changed", () => show(why.textContent))
document.addEventListener("desk:opened", () => show()) // what could not be selected is behind them

form.addEventListener("submit", async event => {
  event.preventDefault()
  const asked = new URLSearchParams(new FormData(form))
  asked.set("answer", event.submitter.value)
  const address = `${form.action}?${asked}`
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } })
    if (answer.headers.has("HX-Redirect")) return location.assign(answer.headers.get("HX-Redirect"))
    if (!answer.ok) throw new Error(`${answer.status}`)
    dialog.innerHTML = await answer.text() // rendered by our own templates, everything in it escaped there
    window.htmx?.process(dialog)
    dialog.showModal()
  } catch {
    show("This cannot be shown right now. Please try again.")
  }
})
dialog.addEventListener("click", event => {
  if (!event.target.closest("[data-close]")) return
  event.preventDefault()
  dialog.close()
})
dialog.addEventListener("close", () => {
  for (const tick of list.querySelectorAll("[name=item]:checked")) tick.checked = false
  dialog.replaceChildren()
  show()
})
show()
