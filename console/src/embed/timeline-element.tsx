import { createTransport, type Fetch } from "@antechamber/client/transport";
import { signal } from "@preact/signals";
import { render } from "preact";
import { useMemo } from "preact/hooks";
import type { EntryFilter } from "../timeline/entries.ts";
import { useTimeline } from "../timeline/load.ts";
import { Timeline } from "../timeline/timeline.tsx";
import { EmptyState } from "../ui/states.tsx";
import { StatusRegion } from "../ui/status.tsx";
import { createTokenSource } from "./token.ts";

/** The style sheet of the element, which the build inserts. */
declare const TIMELINE_CSS: string;

const attributes = ["api", "handle", "token-src", "trace-url"] as const;

/** The address of this script, from which the address of the API follows. */
const scriptUrl = document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : location.href;

/** The values of the attributes. */
interface Settings {
  /** Address of the API. */
  readonly api: string;
  readonly handle: string;
  /** Address on the page's own server that returns a view token; `null` if the API needs none. */
  readonly tokenSrc: string | null;
  readonly traceUrl: string | null;
}

/**
 * `<antechamber-timeline handle="…" token-src="/support/timeline-token">`: the timeline of a session in a page of another
 * application. The page's server fetches a token that opens this session only (docs/console.md).
 */
class AntechamberTimeline extends HTMLElement {
  static readonly observedAttributes: readonly string[] = attributes;
  readonly #root: ShadowRoot;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: "open" });
    // The page's content security policy allows style sheets that a script constructs.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(TIMELINE_CSS);
    this.#root.adoptedStyleSheets = [sheet];
  }

  connectedCallback(): void {
    this.#render();
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.#render();
  }

  disconnectedCallback(): void {
    render(null, this.#root);
  }

  #render(): void {
    const settings = {
      api: this.getAttribute("api") ?? new URL("../", scriptUrl).href,
      handle: this.getAttribute("handle") ?? "",
      tokenSrc: this.getAttribute("token-src"),
      traceUrl: this.getAttribute("trace-url"),
    };
    render(<Embedded key={JSON.stringify(settings)} {...settings} />, this.#root);
  }
}

const isHandle = (text: string) => /^[\w-]{24}$/.test(text);

function Embedded({ api, handle, tokenSrc, traceUrl }: Settings) {
  if (!isHandle(handle)) {
    return (
      <EmptyState icon="alert" title="No session is named">
        <p>The attribute “handle” needs the 24 characters of a handle.</p>
      </EmptyState>
    );
  }
  return <KnownSession api={api} handle={handle} tokenSrc={tokenSrc} traceUrl={traceUrl} />;
}

function KnownSession({ api, handle, tokenSrc, traceUrl }: Settings) {
  const { read, filter } = useMemo(() => {
    const fetchWithToken: Fetch =
      tokenSrc === null ? (input, init) => fetch(input, init) : createTokenSource(tokenSrc).fetch;
    const transport = createTransport({ url: new URL(api, location.href).href, fetch: fetchWithToken });
    return { read: transport.timeline, filter: signal<EntryFilter>({ service: "", status: "", path: "" }) };
  }, []);
  const timeline = useTimeline({ read, handle, isLive: true });
  return (
    <section class="embedded" aria-label="Timeline">
      <h2 class="visually-hidden">Timeline</h2>
      <Timeline
        timeline={timeline}
        filter={filter.value}
        traceUrl={traceUrl}
        onFilter={(changed) => {
          filter.value = changed;
        }}
      />
      <StatusRegion />
    </section>
  );
}

if (!customElements.get("antechamber-timeline")) customElements.define("antechamber-timeline", AntechamberTimeline);
