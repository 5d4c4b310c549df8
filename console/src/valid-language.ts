/**
 * Replaces a language of the browser that does not exist, such as "C", by English. Browsers on Linux report one if the system
 * has no language. uPlot passes it to `Intl` when it is loaded, which would throw.
 */
export function replaceInvalidLanguage(): void {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en" });
  }
}
