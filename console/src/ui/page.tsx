import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export interface PageHeaderProps {
  readonly title: string;
  /** Title of the browser's tab; the heading by default. */
  readonly tabTitle?: string | undefined;
  /** A sentence below the heading. */
  readonly lead?: ComponentChildren;
  /** Buttons at the end of the line. */
  readonly actions?: ComponentChildren;
}

/** Whether no page has been shown yet. */
let isFirstPage = true;

/** The head of a page: its heading, which gets the focus when the page changes, and its actions. */
export function PageHeader({ title, tabTitle = title, lead, actions }: PageHeaderProps): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // A new page is announced by its heading, the first one by the browser. A person who already types is not interrupted.
    const isTyping = document.activeElement?.matches("input, select, textarea, dialog *") === true;
    if (!isFirstPage && !isTyping) heading.current?.focus({ preventScroll: true });
    isFirstPage = false;
  }, []);
  useEffect(() => {
    document.title = `${tabTitle} · Antechamber`;
  }, [tabTitle]);
  return (
    <header class="page-header">
      <div>
        <h1 ref={heading} id="page-title" tabIndex={-1}>
          {title}
        </h1>
        {lead && <p class="lead">{lead}</p>}
      </div>
      {actions && <div class="buttons">{actions}</div>}
    </header>
  );
}

export interface SectionProps {
  readonly title: string;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly class?: string | undefined;
}

/** A part of a page with a heading, on a surface of its own. */
export function Section({ title, actions, children, class: className = "" }: SectionProps): JSX.Element {
  return (
    <section class={`card ${className}`}>
      <header class="card-header">
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}

/** Pairs of names and values. A value that is `null` or `undefined` is left out. */
export function Facts({ facts }: { readonly facts: readonly (readonly [string, ComponentChildren])[] }): JSX.Element {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
