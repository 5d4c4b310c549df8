import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { apiUrl, consoleFetch } from "../../api/api.ts";
import { messageOf } from "../../api/messages.ts";
import { loadViewer, signInMethod, viewer } from "../../api/viewer.ts";
import { Mark } from "../../layout/top-bar.tsx";
import { hrefOf, navigate, place } from "../../router.ts";
import { PageHeader } from "../../ui/page.tsx";
import { LoadingState } from "../../ui/states.tsx";

/** Messages for the failures of a sign-in at the identity provider. */
const problems: Readonly<Record<string, string>> = {
  expired:
    "The sign-in took too long, another one was begun in the meantime, or the browser stores no cookies of this site. Try again.",
  "no-role": "The identity provider knows you, but your account has no role for this console. Ask an administrator.",
  refused: "The identity provider refused the sign-in, or its response was not valid. Try again.",
  unavailable: "The identity provider cannot be reached. Try again in a moment.",
};

/** The page where people sign in, in the way of the server's auth mode. */
export function SignInPage(): JSX.Element {
  const problem = place.value.query.get("problem");
  useEffect(() => {
    if (viewer.value !== undefined) leave();
  }, [viewer.value]);
  return (
    <div class="sign-in card">
      <Mark />
      <PageHeader title="Sign in" lead="Antechamber console" />
      {problem !== null && (
        <p class="form-error" role="alert">
          {problems[problem] ?? problems["refused"]}
        </p>
      )}
      <SignInForm />
    </div>
  );
}

function SignInForm(): JSX.Element {
  switch (signInMethod.value) {
    case undefined:
      return <LoadingState />;
    case "provider":
      return <ProviderLink />;
    case "no-role":
      return <p>Your role may not use the console. Ask an administrator for another one.</p>;
    case "proxy":
      return (
        <p>
          The proxy in front of the service says who you are, and it did not. Sign in there, then load this page again.
        </p>
      );
    case "none":
      return (
        <p>
          No sign-in is needed here. <a href={hrefOf("search")}>Open the console</a>
        </p>
      );
    default:
      return <CredentialForm isKey={signInMethod.value === "key"} />;
  }
}

function ProviderLink(): JSX.Element {
  const next = place.value.query.get("next");
  return (
    // A target lets the browser itself follow the link: it leads to another site.
    <a class="button primary wide" target="_self" href={hrefOf("sign-in/provider", { next })}>
      Continue to the identity provider
    </a>
  );
}

function CredentialForm({ isKey }: { readonly isKey: boolean }): JSX.Element {
  const credential = useSignal("");
  const failure = useSignal<string | undefined>(undefined);
  const isBusy = useSignal(false);
  const submit = async () => {
    if (isBusy.value) return;
    isBusy.value = true;
    failure.value = undefined;
    try {
      await signIn(credential.value.trim(), isKey);
    } catch (error) {
      failure.value = messageOf(error);
    } finally {
      isBusy.value = false;
    }
  };
  const label = isKey ? "API key" : "Token";
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {/* Password managers store a password under a name. */}
      <input
        class="visually-hidden"
        type="text"
        name="username"
        autocomplete="username"
        value="Antechamber console"
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <div class="field">
        <label for="credential">{label}</label>
        <input
          id="credential"
          type="password"
          name="password"
          autocomplete="current-password"
          required
          autofocus
          spellcheck={false}
          value={credential.value}
          aria-invalid={failure.value ? "true" : undefined}
          aria-describedby="credential-hint credential-error"
          onInput={(event) => {
            credential.value = event.currentTarget.value;
          }}
        />
        <p id="credential-hint" class="hint">
          {isKey
            ? "Begins with ak_. An administrator creates it, with the role that you need."
            : "A token of the issuer that the service trusts."}
        </p>
        <p id="credential-error" class="form-error" role="alert">
          {failure.value}
        </p>
      </div>
      <button type="submit" class="primary" disabled={isBusy.value}>
        {isBusy.value ? "Please wait…" : "Sign in"}
      </button>
      <p class="hint">You are signed out after 30 minutes without use, and after 8 hours.</p>
    </form>
  );
}

async function signIn(credential: string, isKey: boolean): Promise<void> {
  const response = await consoleFetch(`${apiUrl}/console/sign-in`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ credential }),
  });
  if (response.status === 401 || response.status === 400) {
    const faults =
      response.status === 400 ? ((await response.json()) as { readonly detail?: string }).detail : undefined;
    const isAboutKey = faults === undefined || faults.startsWith("credential");
    throw new Error(
      isAboutKey ? `This ${isKey ? "API key" : "token"} is not valid: unknown, expired or revoked.` : faults,
    );
  }
  if (response.status === 403) throw new Error("This role may not use the console.");
  if (response.status === 429) throw new Error("Too many attempts. Wait a minute, and try again.");
  if (!response.ok) throw new Error("The service cannot sign you in right now. Try again in a moment.");
  const isSignedIn = await loadViewer();
  if (!isSignedIn && signInMethod.value !== "no-role") {
    throw new Error(
      "The browser does not store the cookie of the sign-in. Allow cookies for this site, and sign in again.",
    );
  }
}

/** Opens the page that the person wanted, which is always one of the console. */
function leave(): void {
  const first = hrefOf("search");
  const wanted = new URL(hrefOf("") + (place.peek().query.get("next") ?? ""), location.href);
  const isHere = wanted.pathname.startsWith(hrefOf("")) && wanted.pathname !== hrefOf("sign-in");
  const isPlace = isHere && wanted.pathname !== hrefOf("");
  navigate(isPlace ? wanted.pathname + wanted.search : first, { replace: true });
}
