// Takes the offer to undo away when its time is over. Without it: the offer stays until the page is left.
for (const offer of document.querySelectorAll("[data-undo]"))
  setTimeout(() => offer.remove(), Number(offer.dataset.undo) * 1000) // seconds
