// Brings what was said meanwhile in another tab or on another device, when this page is looked at again or sends something itself.
// Without it: a reload does.
const log = document.querySelector("[data-log]")
const isAtEnd = log?.dataset.newer !== undefined // an earlier version, or a stretch further up, stays what it is
const messages = () => log.querySelectorAll(".message--mine")

let known = isAtEnd ? [...messages()].at(-1)?.id : undefined // the last message up to which nothing is missing here
let asking = false

async function bringNewer() {
  if (!known || asking || document.hidden) return
  asking = true
  try {
    const response = await fetch(`?after=${known.replace("message-", "")}`, { headers: { "HX-Request": "true" } })
    if (response.ok && !response.redirected) merge(await response.text())
  } catch {} // offline: the next look brings it
  asking = false
}

function merge(html) {
  const template = document.createElement("template")
  template.innerHTML = html // rendered by our own templates
  const fresh = [...template.content.querySelectorAll("article")]
  if (fresh[0]?.id !== known) return location.reload() // it was edited elsewhere
  let place = null
  for (const article of fresh) {
    const mine = find(article)
    if (!mine) place.after(article)
    else if (isAnswered(mine, article)) mine.replaceWith(article)
    place = article.isConnected ? article : mine
  }
  known = [...messages()].at(-1).id
}

const find = ({ id, dataset }) => [...log.querySelectorAll("article")].find((one) => (id ? one.id === id : one.dataset.run === dataset.run))

/** Whether a question that still stands here was answered elsewhere. */
const isAnswered = (mine, article) => mine.querySelector("[data-answers]") && !article.querySelector("[data-answers]")

if (isAtEnd) {
  document.addEventListener("visibilitychange", bringNewer)
  document.querySelector("[data-send]")?.addEventListener("htmx:afterRequest", ({ detail }) => detail.successful && bringNewer())
  for (const name of ["focus", "online"]) addEventListener(name, bringNewer)
  addEventListener("pageshow", ({ persisted }) => persisted && bringNewer()) // back from another page, as it was left
}
