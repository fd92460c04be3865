// Copies a code block, or an answer as the Markdown that the agent wrote. Without it: an answer's link shows its Markdown.
const SAID_FOR = 2000 // milliseconds

async function copied(button, text) {
  const name = button.dataset.name ?? (button.dataset.name = button.textContent)
  try {
    await navigator.clipboard.writeText(await text())
    button.textContent = "Copied"
  } catch {
    button.textContent = "Not copied"
  }
  setTimeout(() => (button.textContent = name), SAID_FOR)
}

async function source(address) {
  const response = await fetch(address)
  if (!response.ok || response.redirected) throw new Error(`${response.status}`)
  return response.text()
}

document.addEventListener("click", (event) => {
  const code = event.target.closest("[data-copy-code]")
  if (code) return copied(code, () => code.parentElement.querySelector("pre").textContent)
  const answer = event.target.closest("[data-copy-answer]")
  if (!answer || !navigator.clipboard || event.ctrlKey || event.metaKey || event.shiftKey) return
  event.preventDefault()
  copied(answer, () => source(answer.href))
})
