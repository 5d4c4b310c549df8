import { type Customer, customers } from "../customers.ts";
import { html } from "./html.ts";
import type { Page } from "./layout.ts";

/** The sign-in page, on which visitors choose a customer. */
export function signInPage(current: Customer | undefined): Page {
  return {
    title: "Sign in",
    content: html`<h1>Sign in</h1>
<p class="lead">There are no passwords in this example: choose who you want to be.</p>
${current !== undefined && html`<p>You are signed in as ${current.name}. Somebody else gets a visit of their own.</p>`}
<form class="card sign-in" method="post" action="/sign-in">
<fieldset>
<legend>Customers of the shop</legend>
${customers.map(
  (
    { id, name },
    index,
  ) => html`<label><input type="radio" name="customer" value="${id}" required${index === 0 && html` checked`}>
<span><strong>${name}</strong> <span class="quiet">${id}</span></span></label>
`,
)}</fieldset>
<button class="primary">Sign in</button>
</form>`,
  };
}
