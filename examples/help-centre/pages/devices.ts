import type { SessionSummary } from "@antechamber/client/protocol";
import { type Content, html } from "./html.ts";
import type { Page } from "./layout.ts";

/** The page with the devices on which a customer is signed in. `ended` is how many were just signed out. */
export function devicesPage(devices: readonly SessionSummary[], ended: number | undefined): Page {
  const others = devices.filter(({ isCurrent }) => isCurrent !== true);
  return {
    title: "Your devices",
    content: html`<h1>Your devices</h1>
<p class="lead">Where you are signed in. If you do not know one of these, sign it out.</p>
${ended !== undefined && html`<p class="notice" role="status">${resultOf(ended)}</p>`}
<ul class="devices">
${[...devices].toSorted(byUse).map(device)}</ul>
${
  others.length > 0 &&
  html`<form class="others" method="post" action="/devices/end-others">
<button>Sign out all other devices</button>
</form>`
}`,
  };
}

function resultOf(ended: number): string {
  if (ended === 0) return "That device was signed out already.";
  return ended === 1 ? "One device was signed out." : `${ended} devices were signed out.`;
}

/** Sorts the current device first, then the one that was used last. */
function byUse(one: SessionSummary, other: SessionSummary): number {
  if (one.isCurrent !== other.isCurrent) return one.isCurrent === true ? -1 : 1;
  return one.lastActiveAt > other.lastActiveAt ? -1 : Number(one.lastActiveAt < other.lastActiveAt);
}

function device({ handle, label, createdAt, lastActiveAt, isCurrent = false }: SessionSummary): Content {
  const name = label ?? "A browser";
  return html`<li class="card device${isCurrent && " current"}">
<div>
<h2 id="device-${handle}">${name}${isCurrent && html` <span class="badge">This device</span>`}</h2>
<p class="quiet">Last used ${moment(lastActiveAt)}<br>Visit began ${moment(createdAt)}</p>
</div>
${
  isCurrent
    ? html`<form method="post" action="/sign-out"><button aria-describedby="device-${handle}">Sign out</button></form>`
    : html`<form method="post" action="/devices/end">
<input type="hidden" name="handle" value="${handle}">
<button aria-describedby="device-${handle}">Sign out</button></form>`
}
</li>
`;
}

/** Formats a date and a time in UTC. A script in the page then changes it to the browser's time zone. */
function moment(time: string): Content {
  return html`<time datetime="${time}" data-with-date>${time.slice(0, 10)}, ${time.slice(11, 16)} UTC</time>`;
}
