// The filters of the desk: kept in the address and, once all rows are here, applied at once. Without it: a form and links.
const form = document.querySelector("[data-filters]")
let isLive = false

/** The parameters of the address. */
export const wanted = () => new URLSearchParams(location.search)

/** From now on all rows are here, and `changed` is called when others are wanted. */
export function startFiltering(changed) {
  if (isLive) return
  isLive = true
  form.dataset.isLive = ""
  let soon
  const apply = () => {
    clearTimeout(soon) // once is enough: applied again, it would bring in what came since under somebody's hands
    const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()))
    history.replaceState(history.state, "", location.pathname + (asked.size ? `?${asked}` : ""))
    changed()
  }
  form.addEventListener("submit", event => {
    event.preventDefault()
    apply()
  })
  form.addEventListener("change", apply)
  form.addEventListener("input", () => {
    clearTimeout(soon)
    soon = setTimeout(apply, 100) // milliseconds
  })
  document.addEventListener("click", event => {
    const link = event.target.closest("[data-count], [data-no-filters]")
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    event.preventDefault()
    if (link.dataset.count) form.elements.risk.value = form.elements.risk.value === link.dataset.count ? "" : link.dataset.count
    else for (const field of form.elements) field.type === "checkbox" ? (field.checked = false) : (field.value = "")
    apply()
  })
  addEventListener("popstate", () => {
    const asked = wanted()
    for (const field of form.elements)
      field.type === "checkbox" ? (field.checked = asked.has(field.name)) : (field.value = asked.get(field.name) ?? "")
    changed()
  })
}

/** What rows have that came later can be chosen as well. */
export function offer(row) {
  const { tool, toolName, agent, agentName, endUser, asker, tenant } = row.dataset
  const told = { tool: [tool, toolName], agent: [agent, agentName || agent], asker: [endUser, asker], tenant: [tenant, tenant] }
  for (const [name, [value, words]] of Object.entries(told)) {
    const select = form.elements[name]
    if (value && ![...select.options].some(option => option.value === value)) select.add(new Option(words, value))
  }
}
