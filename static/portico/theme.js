// Menus: close on Escape and on a click elsewhere. The one under the name chooses the theme and keeps it in a cookie, so that the
// next page arrives in it. Without it: the system's theme, and a menu closes by its own button.
const root = document.documentElement
const choices = document.querySelector("[data-theme-choices]")

function show(theme) {
  for (const button of choices.querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme))
}

function choose(theme) {
  const age = theme ? 31536000 : 0 // seconds: a year; none follows the system
  root.dataset.theme = theme
  document.cookie = `portico_theme=${theme}; path=/; max-age=${age}; samesite=lax`
  show(theme)
}

if (choices) {
  choices.hidden = false
  show(root.dataset.theme ?? "")
  choices.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-theme-choice]")
    if (button) choose(button.dataset.themeChoice)
  })
}

for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", ({ target }) => {
    if (!menu.contains(target)) menu.open = false
  })
  menu.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !menu.open) return
    menu.open = false
    menu.querySelector("summary").focus()
  })
}
