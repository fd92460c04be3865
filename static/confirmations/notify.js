// Tells of approvals wherever one is in Portico: their number in title and icon, a sentence for screen readers, and, if wanted, a tone
// and a notification of the desktop. Nothing of the arguments, and nothing is ever answered from there. Without it: the badge.
import { elements, isWaiting } from "confirmations/rows"

let plain = document.title
let waiting = 0
const icon = document.querySelector("[data-icon]")
const file = icon.href
const QUIET = 5000 // ms between two sentences
const MOMENT = 300 // ms in which a tab that is looked at takes it upon itself
const TOLD = "portico-told" // in this browser's storage: ids that one of its tabs has told of, the latest last
const REMEMBERED = 1000
const told = new Set() // ids
const fresh = [] // rows that came since the last sentence
let isFirst = true
let sound // made upon a click: browsers allow none before
let timer

const wants = what => localStorage.getItem(`portico-${what}`) === "on"

const says = document.createElement("p")
says.className = "unseen"
says.role = "status"
says.ariaLabel = "New approvals"
document.body.append(says)

const title = () => (document.title = waiting ? `(${waiting}) ${plain}` : plain)

document.addEventListener("desk:opened", ({ detail: { name } }) => {
  plain = `${name} · Portico`
  title()
})
document.addEventListener("confirmations:count", ({ detail: { number } }) => {
  waiting = number
  title()
  icon.href = number ? `/confirmations/icon/${Math.min(number, 100)}.svg` : file
})

function say() {
  timer = undefined
  if (!fresh.length) return
  const critical = fresh.filter(row => row.dataset.risk === "critical").length
  says.textContent = `${fresh.length} new approval${fresh.length > 1 ? "s" : ""}${critical ? `, ${critical} critical` : ""}`
  fresh.length = 0
  timer = setTimeout(say, QUIET)
}

function ring() {
  if (!sound || !wants("sound")) return
  const [tone, volume] = [sound.createOscillator(), sound.createGain()]
  tone.frequency.value = 660 // Hz
  volume.gain.setValueAtTime(0.08, sound.currentTime)
  volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + 0.3) // seconds
  tone.connect(volume).connect(sound.destination)
  tone.start()
  tone.stop(sound.currentTime + 0.3)
}

function isFirstToTell(id) {
  const ids = JSON.parse(localStorage.getItem(TOLD) ?? "[]")
  if (ids.includes(id)) return false
  localStorage.setItem(TOLD, JSON.stringify([...ids, id].slice(-REMEMBERED)))
  return true
}

/** Do it in one tab of this browser, however late others hear of it: a visible one first, which need not notify. */
async function once(id, act) {
  if (document.hidden) await new Promise(done => setTimeout(done, MOMENT))
  const tell = () => isFirstToTell(id) && act()
  navigator.locks ? navigator.locks.request(TOLD, tell) : tell()
}

function notify({ dataset: { confirmation: id, toolName, risk, agentName } }) {
  if (!document.hidden || !wants("desktop") || globalThis.Notification?.permission !== "granted") return
  const body = [toolName, `${risk} risk`, agentName].filter(Boolean).join(" · ")
  const notice = new Notification("An approval is needed", { body, tag: id, icon: file })
  notice.addEventListener("click", () => {
    notice.close()
    window.focus()
    if (document.querySelector("[data-desk]")) document.dispatchEvent(new CustomEvent("confirmations:open", { detail: { id } }))
    else window.open(`/confirmations/${encodeURIComponent(id)}/`, "portico-desk")
  })
}

function came(row) {
  const id = row.dataset.confirmation
  if (told.has(id) || !isWaiting(row)) return
  told.add(id)
  if (isFirst) return
  fresh.push(row)
  timer ??= setTimeout(say, MOMENT)
  once(id, () => {
    ring()
    notify(row)
  })
}

document.addEventListener("confirmations:queue", ({ detail }) => {
  elements(detail.html).forEach(came)
  isFirst = false
})
document.addEventListener("confirmations:item", ({ detail }) => elements(detail.html).forEach(came))

document.addEventListener("click", () => wants("sound") && (sound ??= new AudioContext()), { passive: true })

for (const tick of document.querySelectorAll("[data-tell]")) {
  const what = tick.dataset.tell
  const problem = document.querySelector("[data-tell-problem]")
  tick.checked = wants(what) && (what !== "desktop" || globalThis.Notification?.permission === "granted")
  tick.addEventListener("change", async () => {
    if (what === "desktop" && tick.checked) tick.checked = (await globalThis.Notification?.requestPermission()) === "granted"
    const isRefused = what === "desktop" && !tick.checked && globalThis.Notification?.permission !== "granted"
    problem.hidden = !isRefused
    problem.textContent = isRefused ? "This browser does not allow notifications of this page." : ""
    localStorage.setItem(`portico-${what}`, tick.checked ? "on" : "off")
    if (what !== "sound" || !tick.checked) return
    sound ??= new AudioContext()
    ring()
  })
}
