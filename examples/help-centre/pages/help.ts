import { type Article, articles, topics } from "../articles.ts";
import { type Content, html } from "./html.ts";
import type { Page } from "./layout.ts";

/** The home page, with all articles by topic. */
export function homePage(): Page {
  return {
    title: "How can we help?",
    content: html`<h1>How can we help?</h1>
<div class="topics">
${topics.map(
  (topic) => html`<section class="card">
<h2>${topic}</h2>
<ul>
${articles
  .filter((article) => article.topic === topic)
  .map((article) => html`<li><a href="/articles/${article.slug}">${article.title}</a></li>\n`)}</ul>
</section>
`,
)}</div>`,
  };
}

export function searchPage(terms: string, found: readonly Article[]): Page {
  const count = found.length === 1 ? "1 article" : `${found.length} articles`;
  return {
    title: terms === "" ? "Search" : `${terms} – search`,
    terms,
    content: [
      terms === ""
        ? html`<h1>Search</h1><p class="lead">Write what you are looking for above.</p>`
        : html`<h1>${count} for “${terms}”</h1>`,
      found.length > 0 && html`<ol class="results">${found.map(result)}</ol>`,
      terms !== "" &&
        found.length === 0 &&
        html`<p class="lead">Try fewer or other words, or see <a href="/">all articles</a>.</p>`,
    ],
  };
}

function result({ slug, title, topic, summary }: Article, index: number): Content {
  return html`<li class="card">
<p class="topic">${topic}</p>
<h2><a href="/articles/${slug}" data-result="${index + 1}">${title}</a></h2>
<p>${summary}</p>
</li>
`;
}

export function articlePage({ title, topic, summary, body }: Article): Page {
  return {
    title,
    content: html`<article>
<p class="topic">${topic}</p>
<h1>${title}</h1>
<p class="lead">${summary}</p>
${body.map((part) =>
  typeof part === "string"
    ? html`<p>${part}</p>\n`
    : html`<ol class="steps">${part.map((step) => html`<li>${step}</li>`)}</ol>\n`,
)}</article>
<section class="helpful" data-feedback hidden>
<h2>Was this helpful?</h2>
<button type="button" data-answer="yes">Yes</button>
<button type="button" data-answer="no">No</button>
<p role="status"></p>
</section>`,
  };
}

/** The page shown instead of one that needs the visitor's session, while Antechamber is unavailable. */
export const awayPage: Page = messagePage(
  "Not at the moment",
  "This needs to know your visit, which it does not right now. The articles are all there.",
);

/** A page that contains only a message. */
export function messagePage(title: string, message: string): Page {
  return {
    title,
    content: html`<h1>${title}</h1>
<p class="lead">${message}</p>
<p><a href="/">All articles</a></p>`,
  };
}
