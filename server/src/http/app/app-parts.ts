import type { Logger } from "pino";
import type { Config } from "../../config/config.ts";
import type { ShownSetting } from "../../config/shown.ts";
import type { Clock, WallClock } from "../../runtime/clock.ts";
import type { Assertions } from "../../services/assertions.ts";
import type { AuditTrail } from "../../services/audit.ts";
import type { CredentialAdmin } from "../../services/credentials.ts";
import type { CustomerAdmin } from "../../services/customers.ts";
import type { RequestRecorder } from "../../services/recording.ts";
import type { SessionAdmin } from "../../services/session-admin.ts";
import type { SessionData } from "../../services/session-data.ts";
import type { SessionService } from "../../services/sessions.ts";
import type { Statistics } from "../../services/statistics.ts";
import type { WebhookAdmin } from "../../services/webhook-admin.ts";
import type { EventLog } from "../../store/ports/events.ts";
import type { LifecycleStore } from "../../store/ports/lifecycle.ts";
import type { Authenticate } from "../auth/api-key-auth.ts";
import type { ConsoleAccess } from "../auth/console-access.ts";
import type { VerifyLogoutToken } from "../auth/logout-token.ts";
import type { ViewTokens } from "../auth/view-tokens.ts";
import type { ConsoleFile } from "../console-file.ts";
import type { Metrics } from "../metrics.ts";
import type { RateLimits } from "../rate-limits.ts";

/** The dependencies of the application. */
export interface AppParts {
  readonly config: Config;
  /** The settings in the form that administrators may see: secrets are masked. */
  readonly settings: readonly ShownSetting[];
  readonly version: string;
  readonly service: SessionService;
  readonly recorder: RequestRecorder;
  readonly sessionData: SessionData;
  readonly store: Pick<LifecycleStore, "advanceClock" | "status"> & EventLog;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly sessionAdmin: SessionAdmin;
  readonly customers: CustomerAdmin;
  readonly credentials: CredentialAdmin;
  readonly webhooks: WebhookAdmin;
  readonly statistics: Statistics;
  readonly trail: Pick<AuditTrail, "lastSequence" | "readEntries" | "append" | "appendRefusal">;
  /** Returns the keyed hash of an id, for logs and the audit trail (contract.md#secrets-in-logs). */
  readonly logHash: (id: string) => string;
  readonly authenticate: Authenticate;
  /** `undefined` if no identity provider may end sessions. */
  readonly verifyLogoutToken: VerifyLogoutToken | undefined;
  /** `undefined` without the setting `assertionAudience`. */
  readonly assertions: Assertions | undefined;
  /** The files of the console; `undefined` if it is not served. */
  readonly consoleFiles: readonly ConsoleFile[] | undefined;
  /** The sign-in to the console; `undefined` if it is not served. */
  readonly consoleAccess: ConsoleAccess | undefined;
  readonly viewTokens: ViewTokens;
  /** `undefined` if there are no rate limits. */
  readonly limits: RateLimits | undefined;
}
