// Follows one run: puts what the server sends into its article, until the run's end. Without it: a reload shows the answer.

/** Follow the run of an article that says `data-follow`; calls `ended` once. */
export function follow(article, ended) {
  const parts = article.querySelector("[data-parts]")
  const tail = article.querySelector("[data-tail]")
  const source = new EventSource(`${article.dataset.follow}?after=${article.dataset.after}`)

  const on = (name, apply) =>
    source.addEventListener(name, (event) => apply(JSON.parse(event.data)))

  on("text", ({ delta }) => tail.append(delta))
  on("block", ({ html, tail: rest }) => {
    tail.before(fragment(html))
    tail.textContent = rest
  })
  on("step", ({ key, html }) => place(parts, tail, key, html))
  on("snapshot", ({ html, tail: rest }) => {
    parts.replaceChildren(fragment(html), tail)
    tail.textContent = rest
  })
  on("end", ({ html }) => {
    source.close()
    tail.remove()
    article.append(fragment(html))
    delete article.dataset.follow
    ended()
  })
}

/** A fragment that the server rendered, and sanitised where an agent wrote it. */
function fragment(html) {
  const template = document.createElement("template")
  template.innerHTML = html
  return template.content
}

/** A step takes its own place again, open if it was open; a new one stands before what is being written. */
function place(parts, tail, key, html) {
  const old = [...parts.children].find((part) => part.dataset.step === key)
  const fresh = fragment(html)
  if (!old) return tail.before(fresh)
  const details = fresh.querySelector("details")
  if (details && old.open) details.open = true
  const focused = old.contains(document.activeElement)
  old.replaceWith(fresh)
  if (focused) details?.querySelector("summary").focus()
}
