// Copies an id or a hash, or a file as it is served. Without it: ids are selected whole by a click, and a file is downloaded.
const SAID_FOR = 2000 // ms

async function served(address) {
  const response = await fetch(address)
  if (!response.ok || response.redirected) throw new Error(`${response.status}`)
  return response.text()
}

const names = new WeakMap() // what stands on a button before it says how it went

async function copy(place, text) {
  if (!names.has(place)) names.set(place, [...place.childNodes])
  try {
    await navigator.clipboard.writeText(await text())
    place.textContent = "Copied"
  } catch {
    place.textContent = "Not copied"
  }
  setTimeout(() => place.replaceChildren(...names.get(place)), SAID_FOR)
}

document.addEventListener("click", event => {
  const id = event.target.closest("[data-copy]")
  if (id) return copy(id, () => id.dataset.copy)
  const file = event.target.closest("[data-copy-from]")
  if (!file || !navigator.clipboard || event.ctrlKey || event.metaKey || event.shiftKey) return
  event.preventDefault()
  copy(file, () => served(file.href))
})
