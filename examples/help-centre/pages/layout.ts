import type { Customer } from "../customers.ts";
import { type Content, html } from "./html.ts";

/** Facts about the visitor and the request that every page needs. */
export interface Visitor {
  /** The customer; `undefined` while the visitor is anonymous. */
  readonly customer: Customer | undefined;
  /** The URL at which the browser reaches Antechamber. */
  readonly antechamberUrl: string;
  /** Path of the current page. */
  readonly path: string;
}

export interface Page {
  readonly title: string;
  readonly content: Content;
  /** Text in the search field. */
  readonly terms?: string;
}

/** Returns the complete HTML of a page. */
export function layout({ title, content, terms = "" }: Page, visitor: Visitor): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} – Larkfield help centre</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="antechamber" content="${visitor.antechamberUrl}">
<link rel="icon" href="/assets/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css">
<script type="module" src="/scripts/pages/visit.ts"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<div class="bar">
<a class="brand" href="/"><span class="mark" aria-hidden="true"></span>Larkfield <span class="quiet">Help</span></a>
<nav aria-label="Main">
${link("/", "Articles", visitor)}
${link("/visit", "Your visit", visitor)}
${visitor.customer !== undefined && link("/devices", "Your devices", visitor)}
${account(visitor)}
</nav>
</div>
${searchForm(terms)}
</header>
<main id="content">
${content}
</main>
<footer>
<p>Larkfield is made up, its customers too: this is a worked example of Antechamber.
<a href="/agent">The agents’ view</a></p>
</footer>
</body>
</html>
`.text;
}

function link(path: string, text: string, visitor: Visitor): Content {
  return path === visitor.path
    ? html`<a href="${path}" aria-current="page">${text}</a>`
    : html`<a href="${path}">${text}</a>`;
}

function account(visitor: Visitor): Content {
  if (visitor.customer === undefined) return link("/sign-in", "Sign in", visitor);
  return html`<form class="account" method="post" action="/sign-out">
<span class="name">${visitor.customer.name}</span><button>Sign out</button>
</form>`;
}

function searchForm(terms: string): Content {
  return html`<form class="search" role="search" action="/search">
<label for="q">Search the help centre</label>
<div><input id="q" name="q" type="search" maxlength="100" value="${terms}" placeholder="For example: refund" required autocomplete="off">
<button>Search</button></div>
</form>`;
}
