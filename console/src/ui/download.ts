/** Saves a file for the person at the browser. Characters that file names may not have are replaced. */
export function saveBlob(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name
    .replaceAll(/[^\p{L}\p{N}@._-]+/gu, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 100);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
