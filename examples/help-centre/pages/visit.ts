import type { RequestEntry, TimelineEntry } from "@antechamber/client/protocol";
import { articleOf } from "../articles.ts";
import { customerOf } from "../customers.ts";
import { type Part, timeOf, type VisitTimeline } from "../timeline.ts";
import type { Visit } from "../visits.ts";
import { type Content, html } from "./html.ts";
import type { Page } from "./layout.ts";

/** The page on which visitors see their own timeline. */
export function visitPage(timeline: VisitTimeline): Page {
  return {
    title: "Your visit",
    content: html`<h1>Your visit</h1>
<p class="lead">What you did here, as this site’s server and your browser recorded it.
It is shown to the shop’s agents in the same way.</p>
${timelineOf(timeline)}`,
  };
}

/** The page on which an agent sees the timeline of a visit. */
export function agentVisitPage(visit: Visit, timeline: VisitTimeline): Page {
  const customer = customerOf(visit.customerId);
  return {
    title: `Visit ${visit.number}`,
    content: html`<p class="topic"><a href="/agent">Agents’ view</a></p>
<h1>Visit ${visit.number}: ${customer?.name ?? "anonymous visitor"}</h1>
${timelineOf(timeline)}`,
  };
}

/** The agents' page with a list of the latest visits. */
export function agentPage(visits: readonly Visit[]): Page {
  return {
    title: "Agents’ view",
    content: html`<h1>Agents’ view</h1>
<p class="lead">The latest visits. A real shop keeps this page behind a sign-in of its staff.</p>
${visits.length === 0 && html`<p>Nobody has been here yet.</p>`}
<ul class="visits">
${visits.map(
  (
    visit,
  ) => html`<li class="card"><a href="/agent/visits/${visit.number}">Visit ${visit.number}: ${customerOf(visit.customerId)?.name ?? "anonymous visitor"}</a>
<span class="quiet">last seen ${clock(visit.lastSeenAt)}</span></li>
`,
)}</ul>`,
  };
}

function timelineOf({ parts, total, startedAt }: VisitTimeline): Content {
  const who = customerOf(parts.at(-1)?.customerId);
  return html`<dl class="facts">
<div><dt>Visitor</dt><dd>${who?.name ?? "Anonymous"}</dd></div>
<div><dt>Began</dt><dd>${startedAt === null ? "–" : clock(startedAt)}</dd></div>
<div><dt>Recorded</dt><dd>${total} ${total === 1 ? "request" : "requests"}</dd></div>
</dl>
${parts.map(partOf)}`;
}

function partOf({ customerId, beginning, entries }: Part): Content {
  const isKnown = customerId !== null;
  const name = customerOf(customerId)?.name ?? customerId;
  const began = beginning?.type === "created" ? "The visit began" : `Signed in as ${name}`;
  return html`<section class="part ${isKnown ? "recognized" : "anonymous"}">
<h2>${isKnown ? html`Recognized as ${name}` : "Anonymous visitor"}</h2>
<ol class="timeline">
${beginning !== null && html`<li class="moment">${clock(beginning.at)}<p><strong>${began}</strong></p></li>\n`}
${entries.map(line)}</ol>
</section>
`;
}

function line(entry: TimelineEntry): Content {
  if (entry.type !== "request") {
    const ids = Object.keys(entry.ids).join(", ");
    return html`<li class="moment">${clock(timeOf(entry))}<p><strong>Session ${entry.type}</strong> ${ids}</p></li>\n`;
  }
  const { method, path, status, durationMs, service } = entry;
  const isBrowsers = service === "browser";
  const facts = [
    isBrowsers ? `on ${path}` : `${method} ${path}`,
    status === null ? null : String(status),
    durationMs === null ? null : `${durationMs.toFixed(durationMs < 10 ? 1 : 0)} ms`,
  ].filter((fact) => fact !== null);
  return html`<li class="${isBrowsers ? "browser" : "server"}">${clock(timeOf(entry))}
<p>${described(entry)} <span class="source">${service}</span><br>
<span class="request">${facts.join(" · ")}</span></p></li>
`;
}

/** Describes in words what the visitor did. The attributes are from a browser and may contain any text. */
function described({ method, path, attributes }: RequestEntry): Content {
  const { event, terms, result, answer } = attributes;
  if (event === "search") return html`Searched for “${terms ?? ""}”`;
  if (event === "result") return html`Chose result ${result ?? ""}`;
  if (event === "feedback") return html`Found it ${answer === "yes" ? "helpful" : "not helpful"}`;
  const article = articleOf(/^\/articles\/([a-z-]+)$/.exec(path)?.[1] ?? "");
  if (article !== undefined) return html`Read “${article.title}”`;
  return named[`${method} ${path}`] ?? "Asked for a page";
}

const named: Readonly<Record<string, string>> = {
  "GET /": "Looked at all articles",
  "GET /search": "Saw the search’s results",
  "GET /sign-in": "Opened the sign-in",
  "POST /sign-in": "Sent the sign-in",
  "POST /sign-out": "Signed out",
  "GET /visit": "Looked at this visit",
  "GET /devices": "Looked at the devices",
  "POST /devices/end": "Signed out a device",
  "POST /devices/end-others": "Signed out all other devices",
};

/** Formats the time of day in UTC. A script in the page then changes it to the browser's time zone. */
function clock(time: string): Content {
  return html`<time datetime="${time}">${time.slice(11, 19)} UTC</time>`;
}
