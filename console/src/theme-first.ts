// Runs before the page is painted, so that it never flashes in other colours than the chosen ones.
try {
  const theme = localStorage.getItem("antechamber-console.theme");
  if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset["theme"] = theme.slice(1, -1);
} catch {
  // The browser blocks the storage. The colours of the system remain.
}
