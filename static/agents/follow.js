// Follows one run: puts what the server sends into its article, until the run's end. Without it: a reload shows the answer.
const SILENCE = 40000 // ms without an event or a beat, which comes every 15 s: the line is dead, though nobody said so
const QUIET = 30000 // ms: the longest pause between two attempts

/** Follow the run of an article that says `data-follow`; calls `ended` once. */
export function follow(article, ended) {
  const parts = article.querySelector("[data-parts]")
  const tail = article.querySelector("[data-tail]")
  const sink = () => parts.append(...parts.querySelectorAll(":scope > [data-below]"))
  sink()
  const heard = new Map() // by name of an event: what to do with it
  const on = (name, apply) => heard.set(name, apply)
  let number = article.dataset.after
  let pause = 1000
  let source, timer

  /** Open the line, after what we have. It comes back by itself, unless it is refused or silent. */
  function open() {
    source?.close()
    source = new EventSource(`${article.dataset.follow}?after=${number}`)
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) again(pause) // a proxy or a process that is being restarted, or nobody signed in
    })
    for (const [name, apply] of heard)
      source.addEventListener(name, ({ data, lastEventId }) => {
        number = lastEventId || number
        pause = 1000
        again(SILENCE)
        apply(JSON.parse(data))
      })
    again(SILENCE)
  }

  function again(wait) {
    clearTimeout(timer)
    if (wait !== SILENCE) pause = Math.min(2 * pause, QUIET)
    timer = setTimeout(open, wait)
  }

  on("beat", () => {})
  on("text", ({ delta }) => tail.append(delta))
  on("block", ({ html, tail: rest }) => {
    tail.before(fragment(html))
    tail.textContent = rest
  })
  on("step", ({ key, html }) => place(parts, tail, key, html))
  on("snapshot", ({ html, tail: rest }) => {
    const fresh = fragment(html)
    keepOpen(kept(parts), fresh)
    parts.replaceChildren(fresh, tail)
    tail.textContent = rest
    sink()
  })
  on("end", ({ html }) => {
    clearTimeout(timer)
    source.close()
    tail.remove()
    article.append(fragment(html))
    delete article.dataset.follow
    ended()
  })
  document.addEventListener("confirmations:ended", () => {
    clearTimeout(timer)
    source.close()
    tail.removeAttribute("aria-busy") // the caret: nothing comes any more
  })
  open()
}

/** A fragment that the server rendered, and sanitised where an agent wrote it. */
function fragment(html) {
  const template = document.createElement("template")
  template.innerHTML = html
  return template.content
}

/** A step takes its own place again, as open as it was; a new one stands before what is being written, or below it all. */
function place(parts, tail, key, html) {
  const old = [...parts.children].find((part) => part.dataset.step === key)
  const fresh = fragment(html)
  if (!old) {
    const below = fresh.firstElementChild?.dataset.below
    const next = below && [...parts.children].find((part) => part.dataset.below > below)
    return below ? parts.insertBefore(fresh, next || null) : tail.before(fresh)
  }
  const before = kept(old)
  const focused = focusable(old).indexOf(document.activeElement)
  const after = focusable(fresh)
  keepOpen(before, fresh)
  old.replaceWith(fresh)
  after[focused]?.focus({ preventScroll: true }) // a step only grows at its end
}

/** What the keyboard reaches in a fragment, in order; approvals in it look after themselves. */
const focusable = (root) =>
  [...root.querySelectorAll("summary, a[href], button, [tabindex]")].filter((one) => !one.closest("[data-inline-approval]"))

/** What somebody opened or closed stays so; what began open, because it was running, closes when it has ended. */
function keepOpen(before, fresh) {
  for (const [named, details] of kept(fresh)) {
    const was = before.get(named)
    if (was && !(was.hasAttribute("data-began-open") && !details.hasAttribute("data-began-open"))) details.open = was.open
  }
}

const name = (details) => details.dataset.kept || details.dataset.step

/** What can be opened in a fragment, by name. */
function kept(root) {
  const found = [...root.querySelectorAll("details[data-step], details[data-kept]")]
  if (root.matches?.("details")) found.push(root)
  return new Map(found.map((details) => [name(details), details]))
}
