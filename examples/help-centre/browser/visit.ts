import { createClient } from "@antechamber/client";

/**
 * The script of the pages: records in the visit what only the browser knows. The session is the one in the
 * cookie that the site's server set, so the script does not request one.
 */
const url = document.querySelector<HTMLMetaElement>('meta[name="antechamber"]')?.content ?? "";
const client = createClient({ url });

/** Records something that the visitor did on this page. */
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

// The question makes no sense where there is no script to take the answer.
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
  time.textContent = new Date(time.dateTime).toLocaleTimeString("en-GB");
}
