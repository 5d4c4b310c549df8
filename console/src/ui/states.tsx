import type { ComponentChildren, JSX } from "preact";
import type { Loading } from "../api/loading.ts";
import { messageOf } from "../api/messages.ts";
import { Icon, type IconName } from "./icon.tsx";
import { PageHeader } from "./page.tsx";

export interface EmptyStateProps {
  readonly icon?: IconName | undefined;
  readonly title: string;
  /** Explanation of the state, and what to do next. */
  readonly children?: ComponentChildren;
}

/** A message for a place that has nothing to show. */
export function EmptyState({ icon = "info", title, children }: EmptyStateProps): JSX.Element {
  return (
    <div class="state">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A failure, with what to do about it and a button that tries again. */
export function ErrorState({
  error,
  onRetry,
}: {
  readonly error: unknown;
  readonly onRetry?: () => void;
}): JSX.Element {
  return (
    <div class="state failure" role="alert">
      <Icon name="alert" />
      <h2>This could not be loaded</h2>
      <p>{messageOf(error)}</p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** A message while something is loaded. It appears only after a moment, so that quick loads do not flicker. */
export function LoadingState({ what = "Loading" }: { readonly what?: string }): JSX.Element {
  return (
    <div class="state loading" role="status">
      <span class="spinner" aria-hidden="true" />
      <p>{what}…</p>
    </div>
  );
}

export interface LoadedViewProps<T> {
  readonly loading: Loading<T>;
  readonly what?: string;
  /** Heading of the page if the value cannot be loaded, where otherwise the children show one. */
  readonly heading?: string;
  readonly children: (value: T) => ComponentChildren;
}

/** A value that is loaded. Until it is there, shows the progress or the failure. */
export function LoadedView<T>({ loading, what, heading, children }: LoadedViewProps<T>): JSX.Element {
  const { value, error, reload } = loading;
  if (value === undefined) {
    return error === undefined ? (
      <LoadingState {...(what ? { what } : {})} />
    ) : (
      <>
        {heading !== undefined && <PageHeader title={heading} />}
        <ErrorState error={error} onRetry={reload} />
      </>
    );
  }
  return (
    <>
      {error !== undefined && (
        <p class="stale" role="alert">
          <Icon name="alert" /> <span>This is no longer up to date. {messageOf(error)}</span>
          <button type="button" onClick={reload}>
            Try again
          </button>
        </p>
      )}
      {children(value)}
    </>
  );
}
