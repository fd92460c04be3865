// Keeps what is being written, so that it is there after a reload, a sign-out, or on another device. Without it: it is kept when
// a message cannot be sent.
const form = document.querySelector("[data-draft]")
const message = form?.elements.message
const PAUSE = 400 // milliseconds without a key
const HERE = `portico-typed ${document.body.dataset.person} ${form?.dataset.draft}` // in this tab, from the end of the session on

let timer = 0
let kept = message?.value
let isOver = false // the session: what is kept on the server then is not ours

/** Where the server keeps nothing: of a session that is over, or of a text that is too long for it. */
function keepHere() {
  try {
    sessionStorage.setItem(HERE, message.value)
  } catch {} // more than a browser keeps: it is on the page
}

function keep() {
  clearTimeout(timer)
  timer = 0
  if (isOver || message.validity.customError) return keepHere()
  if (message.value === kept) return
  kept = message.value
  fetch(form.dataset.draft, { method: "POST", body: new FormData(form), keepalive: kept.length < 10_000 }).catch(() => (kept = null))
}

if (form) {
  const left = sessionStorage.getItem(HERE)
  sessionStorage.removeItem(HERE)
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
    kept = message.value // it is being sent
  })
}
