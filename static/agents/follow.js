// Follows one run: puts what the server sends into its article, until the run's end. Without it: a reload shows the answer.
import { redraw, redrawInside } from "agents/redraw"

const SILENCE = 40000 // ms without an event or a beat, which comes every 15 s: the line is dead, though nobody said so
const QUIET = 30000 // ms: the longest pause between two attempts

/** Follow the run of an article that says `data-follow`; calls `ended` once. */
export function follow(article, ended) {
  const parts = article.querySelector("[data-parts]")
  const tail = article.querySelector("[data-tail]")
  const full = Object.assign(document.createElement("p"), { className: "length", role: "status", hidden: true })
  parts.after(full)
  const sink = () => parts.insertBefore(tail, parts.querySelector(":scope > [data-below]")) // nothing else moves: it may have the focus
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
      if (source.readyState === EventSource.CLOSED) refused(source.url) // a proxy or a process that is being restarted, or nobody signed in
    })
    for (const [name, apply] of heard)
      source.addEventListener(name, ({ data, lastEventId }) => {
        number = lastEventId || number
        pause = 1000
        full.hidden = true
        again(SILENCE)
        apply(JSON.parse(data))
      })
    again(SILENCE)
  }

  /** Come back later. Why it was refused is told to a request of ours alone: too many may be open. */
  async function refused(url) {
    again(pause)
    const looking = new AbortController()
    const answer = await fetch(url, { signal: looking.signal }).catch(() => {})
    if (answer?.status === 429) full.textContent = "Not live: too many answers are being watched. Close other pages, or reload this one later."
    full.hidden = answer?.status !== 429
    looking.abort()
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
    redrawInside(parts, fragment(html))
    if (tail.textContent !== rest) tail.textContent = rest
    sink()
  })
  on("end", ({ html }) => {
    full.remove()
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

/** A step takes its own place again; a new one stands before what is being written, or below it all. */
function place(parts, tail, key, html) {
  const old = [...parts.children].find((part) => part.dataset.step === key)
  const fresh = fragment(html)
  const element = fresh.firstElementChild
  if (old && fresh.childElementCount === 1) return redraw(old, element)
  if (old) return old.replaceWith(fresh)
  const below = element?.dataset.below
  const next = below && [...parts.children].find((part) => part.dataset.below > below)
  return below ? parts.insertBefore(fresh, next || null) : tail.before(fresh)
}
