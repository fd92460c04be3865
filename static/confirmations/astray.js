// Says what became of an answer whose form is no longer on the page when it fails, since somebody went on to another call meanwhile.
// Without it: pages come one after the other, and the next one says it.
const FAILED = "it could not be sent. Please try again."

const notices = document.querySelector("[data-notices]")

const MEANT = { approve: ["approved", "waiting"], reject: ["rejected"] } // how a call stands after it

/** What a reply says of a failure, in words; empty where all went well. */
function complaint(xhr, give) {
  if (xhr.status < 200 || xhr.status >= 300) {
    const isOurs = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain")
    return (isOurs && xhr.responseText) || FAILED
  }
  const reply = new DOMParser().parseFromString(xhr.responseText, "text/html") // rendered by our own templates
  const call = reply.querySelector("section[data-confirmation]")
  const isMissed = call && MEANT[give] && !MEANT[give].includes(call.dataset.state)
  const said = isMissed ? "[role=alert] p, .verdict span" : "[role=alert] p, [data-tone=warning] span"
  return reply.querySelector(said)?.textContent.trim() ?? ""
}

function say(what, address, sentence) {
  const notice = document.querySelector("[data-failure]").content.firstElementChild.cloneNode(true)
  notice.setAttribute("role", "alert")
  const link = Object.assign(document.createElement("a"), { textContent: what, href: address })
  notice.querySelector("p").append("Your answer to ", link, " was not taken: ", sentence)
  notices.append(notice)
}

document.addEventListener("htmx:beforeRequest", ({ detail: { elt, xhr } }) => {
  const form = elt.closest("[data-answering]")
  if (!form) return
  const call = form.closest("section[data-confirmation]")
  const what = call?.ariaLabel ?? form.querySelector("h2 code")?.textContent ?? "several calls"
  const address = call ? `/confirmations/${encodeURIComponent(call.dataset.confirmation)}/` : "/confirmations/"
  xhr.addEventListener("readystatechange", () => {
    if (xhr.readyState !== XMLHttpRequest.DONE || form.isConnected) return // else before htmx puts the reply in its place
    const sentence = xhr.getResponseHeader("HX-Redirect") ? "" : complaint(xhr, elt.dataset.give)
    if (sentence) say(what, address, sentence)
  })
})
