// Sets the color scheme before the first paint, from the reader's choice or the system's.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("retrain-color-scheme");
  } catch {
    // Storage may be switched off; the system's scheme holds then.
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const scheme = chosen === "dark" || chosen === "light" ? chosen : dark ? "dark" : "light";
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);
})();
