// Brings what is said in another tab or on another device: when the server or the other tab tells, when this page is looked at
// again, and when it sends something itself. Without it: a reload does.
import { redraw } from "agents/redraw"

const log = document.querySelector("[data-log]")
const isAtEnd = log?.dataset.newer !== undefined // an earlier version, or a stretch further up, stays what it is
const send = document.querySelector("[data-send]")
const tabs = isAtEnd && new BroadcastChannel(`conversation ${log.dataset.conversation}`) // those of this browser
const messages = () => log.querySelectorAll(".message--mine")

let known = isAtEnd ? [...messages()].at(-1)?.id : undefined // the last message up to which nothing is missing here
let asking = false
let isStale = false // something came while we were asking

async function bringNewer() {
  if (!known || document.hidden) return
  isStale = true
  if (asking) return
  asking = true
  while (isStale) {
    isStale = false
    try {
      const response = await fetch(`?after=${known.replace("message-", "")}`, { headers: { "HX-Request": "true" } })
      if (response.ok && !response.redirected) merge(await response.text())
    } catch {} // offline: the next look brings it
  }
  asking = false
}

/** Somebody said that there is more. While this page sends something, it looks afterwards anyhow. */
const told = () => send?.querySelector("button").disabled || bringNewer()

function merge(html) {
  const template = document.createElement("template")
  template.innerHTML = html // rendered by our own templates
  const fresh = [...template.content.querySelectorAll("article")]
  if (fresh[0]?.id !== known) return location.reload() // it was edited elsewhere
  let place = null
  for (const article of fresh) {
    const mine = find(article)
    if (!mine) place.after(article)
    else if (isAnswered(mine, article) || isDecided(mine, article)) redraw(mine, article)
    place = article.isConnected ? article : mine
  }
  known = [...messages()].at(-1).id
}

const find = ({ id, dataset }) => [...log.querySelectorAll("article")].find((one) => (id ? one.id === id : one.dataset.run === dataset.run))

/** Whether a question that still stands here was answered elsewhere. */
const isAnswered = (mine, article) => mine.querySelector("[data-answers]") && !article.querySelector("[data-answers]")

/** Whether an approval that it waited for ended after it did. */
const approvals = (article) => article.querySelectorAll("[data-approval]").length
const isDecided = (mine, article) => !mine.dataset.follow && !article.dataset.follow && approvals(article) > approvals(mine)

if (isAtEnd) {
  tabs.addEventListener("message", told)
  tabs.postMessage("grew") // this page may be what became of a message that another one does not show yet
  document.addEventListener("confirmations:connected", told)
  document.addEventListener("confirmations:news", ({ detail }) => detail.conversation === log.dataset.conversation && told())
  document.addEventListener("visibilitychange", bringNewer)
  send?.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful) return
    tabs.postMessage("grew")
    bringNewer()
  })
  for (const name of ["focus", "online"]) addEventListener(name, bringNewer)
  addEventListener("pageshow", ({ persisted }) => persisted && bringNewer()) // back from another page, as it was left
}
