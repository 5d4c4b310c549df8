import { createClient } from "@antechamber/client";

/**
 * The script of the pages. It records actions that only the browser knows, in the visitor's session. The site's server
 * has set the session's cookie, so the script does not create a session.
 */
const url = document.querySelector<HTMLMetaElement>('meta[name="antechamber"]')?.content ?? "";
const client = createClient({ url });

/** Records an action of the visitor on this page. */
function did(event: string, details: Readonly<Record<string, string>>): void {
  const path = location.pathname;
  client.record({ method: "GET", path, service: "browser", attributes: { event, ...details } });
}

document.querySelector('form[role="search"]')?.addEventListener("submit", (event) => {
  const terms = new FormData(event.currentTarget as HTMLFormElement).get("q");
  if (typeof terms === "string") did("search", { terms });
});

for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-result]")) {
  link.addEventListener("click", () => did("result", { result: link.dataset["result"] ?? "" }));
}

// Without this script nothing would receive the answer, so the question is hidden until the script runs.
const feedback = document.querySelector<HTMLElement>("[data-feedback]");
const buttons = feedback?.querySelectorAll<HTMLButtonElement>("button") ?? [];
feedback?.toggleAttribute("hidden", false);
for (const button of buttons) {
  button.addEventListener("click", () => {
    did("feedback", { answer: button.dataset["answer"] ?? "" });
    for (const each of buttons) each.disabled = true;
    const status = feedback?.querySelector('[role="status"]');
    if (status) status.textContent = "Thank you.";
  });
}

for (const time of document.querySelectorAll("time")) {
  const at = new Date(time.dateTime);
  time.textContent =
    "withDate" in time.dataset
      ? at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })
      : at.toLocaleTimeString("en-GB");
}
