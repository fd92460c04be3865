// Keeps the keys of an input method (Japanese, Chinese, Korean, dead keys …) from every handler of every page: a key that picks or
// confirms what is being written neither sends, answers, opens, closes nor submits anything. Without it: nothing listens to keys.
const ACTS = new Set(["Enter", "NumpadEnter", "Escape"]) // what a browser itself does with these: submits a form, closes a dialog

/** Whether an input method used this key. Safari tells it by the code 229 alone, in a keydown that comes after `compositionend`. */
export const isOfInputMethod = event => event.isComposing || event.keyCode === 229 || event.key === "Process"

function keep(event) {
  if (!isOfInputMethod(event)) return
  event.stopImmediatePropagation()
  if (ACTS.has(event.key) || ACTS.has(event.code)) event.preventDefault()
}

// On the window and before the page: handlers need not ask, and one that is written later cannot forget to.
for (const name of ["keydown", "keypress", "keyup"]) addEventListener(name, keep, { capture: true })
