// The chat: follows runs that are open, keeps the view at the end while the reader is there, sends on Enter, and turns Send
// into Stop meanwhile. Without it: forms and reloads do the same.
import { follow } from "agents/follow"

const log = document.querySelector("[data-log]")
const jump = document.querySelector("[data-jump]")
const send = document.querySelector("[data-send]")
const stop = document.querySelector("[data-stop]")
const message = send?.querySelector("textarea")

let readsTheEnd = !location.hash // a link to a message leads there
let fromEnd = null // pixels below the top of the view, while earlier messages are put above it
let lastTop = 0 // where the view was when we last looked

function toEnd() {
  log.scrollTop = log.scrollHeight
  lastTop = log.scrollTop
}

/** The view moved. Text that grew below it takes nobody away from the end: only who went up has left it. */
function look() {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48 // pixels
  readsTheEnd = isAtEnd || (readsTheEnd && log.scrollTop >= lastTop)
  lastTop = log.scrollTop
  jump.hidden = readsTheEnd
}

/** The transcript changed: a reader at its end stays there, one further up is not moved. */
function changed() {
  followAll()
  if (log.scrollTop < lastTop) look() // somebody went up, and the browser has yet to say so
  if (fromEnd !== null) stayPut()
  else if (readsTheEnd) toEnd()
  else jump.hidden = false
}

/** Earlier messages came above: nothing that is being read moves, nothing of it is announced, the keyboard goes on there. */
function stayPut() {
  log.scrollTop = log.scrollHeight - fromEnd
  fromEnd = null
  look()
  const next = log.querySelector("[data-earlier] a") ?? log
  next.focus({ preventScroll: true })
  setTimeout(() => log.removeAttribute("aria-live"), 1000) // milliseconds
}

/** What was sent, without what is here already: another look was faster, or it was sent before and its answer was lost. */
function onlyFresh(html) {
  const template = document.createElement("template")
  template.innerHTML = html // rendered by our own templates
  const here = [...log.querySelectorAll("article")]
  const isHere = ({ id, dataset }) => here.some((one) => (id ? one.id === id : one.dataset.run === dataset.run))
  const doubles = [...template.content.querySelectorAll("article")].filter(isHere)
  doubles.forEach((article) => article.remove())
  return doubles.length ? template.innerHTML : html
}

function answering(article) {
  if (!send) return
  send.querySelector("button").hidden = Boolean(article)
  stop.hidden = !article
  if (article) stop.action = article.dataset.cancel
}

function followAll() {
  for (const article of log.querySelectorAll("[data-follow]")) {
    if (article.dataset.isFollowed) continue
    article.dataset.isFollowed = "yes"
    answering(article)
    follow(article, () => answering(log.querySelector("[data-follow]"))) // another one may have begun before this was told
  }
}

/** A sentence above the composer; what was typed stays where it is. */
function say(sentence) {
  const notice = document.createElement("p")
  notice.className = "notice notice--danger"
  notice.setAttribute("role", "alert")
  notice.textContent = sentence
  clearNotice()
  send.closest("[data-composer]").before(notice)
}

function clearNotice() {
  send.closest("[data-composer]").parentElement.querySelector(".notice")?.remove()
}

if (message) {
  if (message.autofocus) message.setSelectionRange(message.value.length, message.value.length) // go on where a text ends
  message.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return
    event.preventDefault()
    const button = send.querySelector("button")
    if (!button.hidden && !button.disabled && message.value.trim()) send.requestSubmit(button)
  })
}

if (log) {
  log.addEventListener("scroll", look, { passive: true })
  log.addEventListener("htmx:beforeSwap", ({ target, detail }) => {
    if (target.matches("[data-end-of-log]") && detail.shouldSwap) detail.serverResponse = onlyFresh(detail.serverResponse)
    if (!target.matches("[data-earlier]") || !detail.shouldSwap) return
    log.setAttribute("aria-live", "off")
    fromEnd = log.scrollHeight - log.scrollTop
  })
  jump.addEventListener("click", () => {
    readsTheEnd = true // at once: text that comes before the view has moved must not leave the reader behind
    jump.hidden = true
    toEnd()
  })

  send?.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt !== send) return
    if (detail.successful) {
      if (message.value.trim() === detail.requestConfig.formData.get("message").trim()) message.value = ""
      clearNotice()
      log.querySelector(".empty")?.remove()
      readsTheEnd = true
      toEnd()
      message.focus()
    } else if (detail.xhr.status) say(detail.xhr.responseText.length < 500 ? detail.xhr.responseText : "This was not sent.")
    else say("Portico cannot be reached. Your message was not sent; it is still here.")
  })
  stop?.addEventListener("submit", async (event) => {
    event.preventDefault()
    const token = stop.querySelector("[name=csrfmiddlewaretoken]").value
    const button = stop.querySelector("button")
    button.disabled = true
    try {
      const answer = await fetch(stop.action, { method: "POST", headers: { "X-CSRFToken": token, "HX-Request": "true" } })
      const sentence = await answer.text()
      if (!answer.ok) say("This could not be stopped. Please try again.")
      else if (sentence) say(sentence)
    } catch {
      say("Portico cannot be reached. The agent may still be answering.")
    }
    button.disabled = false
  })
  log.addEventListener("submit", ({ target }) => {
    if (target.matches("[data-retry], [data-answers]") && !target.elements.csrfmiddlewaretoken)
      target.append(send.elements.csrfmiddlewaretoken.cloneNode()) // what came while following was rendered for nobody
  })
  new MutationObserver(changed).observe(log, { childList: true, characterData: true, subtree: true })
  changed()
}
