import type { JSX } from "preact";
import { hrefOf } from "../router.ts";
import { PageHeader } from "./page.tsx";
import { EmptyState, type EmptyStateProps } from "./states.tsx";

export interface NotFoundProps extends EmptyStateProps {
  /** Heading of the page. */
  readonly heading: string;
}

/** A page about something that does not exist. */
export function NotFound({ heading, children, ...state }: NotFoundProps): JSX.Element {
  return (
    <>
      <PageHeader title={heading} />
      <EmptyState {...state}>
        {children}
        <p>
          <a href={hrefOf("search")}>Show all sessions</a>
        </p>
      </EmptyState>
    </>
  );
}
