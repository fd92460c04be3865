// What a row tells of itself: its place in the order and whether it fits what is wanted, as confirmations/rows.py says it.
const RISKS = ["critical", "high", "medium", "low"]
const EXPIRING = 60000 // ms left

/** What was rendered by our own templates; everything in it was escaped there. */
export function elements(html) {
  const template = document.createElement("template")
  template.innerHTML = html
  return [...document.importNode(template.content, true).children] // of this document: addresses in a template lead nowhere
}

export const isWaiting = row => row.dataset.state === "waiting"

export function groupOf(row, by) {
  const { toolName, agentName, agent } = row.dataset
  return by === "tool" ? toolName : by === "agent" ? agentName || agent || "No agent" : ""
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0)

/** The gravest risk first, then the least time left, which is the oldest: all may wait equally long. */
export function inOrder(by) {
  return (a, b) =>
    compare(groupOf(a, by), groupOf(b, by)) ||
    RISKS.indexOf(a.dataset.risk) - RISKS.indexOf(b.dataset.risk) ||
    Date.parse(a.dataset.askedAt) - Date.parse(b.dataset.askedAt) ||
    compare(a.dataset.confirmation, b.dataset.confirmation)
}

/** `wanted` are the parameters of the desk's address; `without` one of them that does not count. `now` is by the gateway's clock, in ms. */
export function fits(row, wanted, now, without = "") {
  const asks = name => (name === without ? "" : (wanted.get(name) ?? ""))
  const is = (name, value) => !asks(name) || asks(name) === value
  const { tenant, agent, agentName, endUser, asker, tool, toolName, risk, confirmation } = row.dataset
  const text = `${toolName} ${agentName} ${agent} ${asker} ${tenant} ${confirmation}`.toLowerCase()
  return (
    is("tenant", tenant) &&
    is("agent", agent) &&
    is("asker", endUser) &&
    is("tool", tool) &&
    is("risk", risk) &&
    (!asks("expiring") || timeLeft(row, now) < EXPIRING) &&
    asks("q").toLowerCase().split(/\s+/).every(word => text.includes(word))
  )
}

const timeLeft = (row, now) => Date.parse(row.querySelector("[data-expires-at]")?.dataset.expiresAt ?? 0) - now
