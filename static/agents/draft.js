// Keeps what is being written, so that it is there after a reload, a sign-out, or on another device. Without it: it is kept when
// a message cannot be sent.
const form = document.querySelector("[data-draft]")
const message = form?.elements.message
const PAUSE = 400 // milliseconds without a key
const HERE = `portico-typed ${document.body.dataset.person} ${form?.dataset.draft}` // in this tab, from the end of the session on

let timer = 0
let kept = message?.value // by the server, as it said
let asked = kept // of it, last
let times = 0 // that it was asked: what it says of an older text is no news
let isOver = false // the session: what is kept on the server then is not ours

/** Where the server keeps nothing: of a session that is over, or of a text that is too long for it. */
function keepHere() {
  try {
    sessionStorage.setItem(HERE, message.value)
  } catch {} // more than a browser keeps: it is on the page
}

const note = Object.assign(document.createElement("p"), { className: "length", role: "status", hidden: true })

/** What the server said of a text that it was to keep, if it was reached: where it did not, this tab does, and the page says so. */
async function told(text, answer) {
  const isKept = answer?.ok && !answer.redirected // else to the sign-in page
  note.hidden = isKept
  if (isKept) {
    kept = text
    sessionStorage.removeItem(HERE)
    return
  }
  asked = null
  keepHere()
  note.textContent = answer?.status === 429 ? `Kept in this tab alone. ${await answer.text()}` : "Kept in this tab alone: it could not be saved."
}

function keep() {
  clearTimeout(timer)
  timer = 0
  const text = message.value
  if (isOver || message.validity.customError) {
    times++
    return keepHere()
  }
  if (text === kept) return sessionStorage.removeItem(HERE)
  if (text === asked) return
  asked = text
  const time = ++times
  const sent = { method: "POST", body: new FormData(form), keepalive: text.length < 10_000 }
  const hear = answer => time === times && told(text, answer)
  fetch(form.dataset.draft, sent).then(hear, () => hear())
}

if (form) {
  form.closest("[data-composer]").before(note)
  const left = sessionStorage.getItem(HERE)
  if (left) message.value = left
  if (left) setTimeout(keep) // once all of this is set up
  document.addEventListener("confirmations:ended", () => {
    isOver = true
    keep()
  })
  message.addEventListener("input", () => {
    clearTimeout(timer)
    timer = setTimeout(keep, PAUSE)
  })
  message.addEventListener("blur", keep)
  addEventListener("pagehide", keep)
  form.addEventListener("submit", () => {
    clearTimeout(timer)
    kept = asked = message.value // it is being sent
    times++
    sessionStorage.removeItem(HERE)
  })
  form.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt !== form || detail.successful) return
    kept = asked = null // it was not sent
    keep()
  })
}
