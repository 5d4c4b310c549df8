import type { AuditVerification } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { messageOf } from "../../api/messages.ts";
import { Badge } from "../../ui/badge.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Field } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Section } from "../../ui/page.tsx";

const HASH = /^[\da-f]{64}$/;

/** Checks the whole trail on request, and shows the result. */
export function Verification(): JSX.Element {
  const expected = useSignal("");
  const isBusy = useSignal(false);
  const checked = useSignal(0);
  const result = useSignal<AuditVerification | undefined>(undefined);
  const failure = useSignal<string | undefined>(undefined);
  const verify = async () => {
    const expect = expected.value.trim().toLowerCase();
    failure.value = expect === "" || HASH.test(expect) ? undefined : "A hash has 64 hexadecimal digits.";
    if (isBusy.value || failure.value !== undefined) return;
    isBusy.value = true;
    result.value = undefined;
    checked.value = 0;
    try {
      const onProgress = (entries: number) => {
        checked.value = entries;
      };
      result.value = await administration.verifyAudit({ ...(expect !== "" && { expect }), onProgress });
    } catch (error) {
      failure.value = messageOf(error);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Section title="Is the trail intact?">
      <form
        class="filters single"
        onSubmit={(event) => {
          event.preventDefault();
          void verify();
        }}
      >
        <Field
          label="A hash that you noted before (optional)"
          value={expected.value}
          error={failure.value}
          onInput={(value) => {
            expected.value = value;
          }}
        />
        <button type="submit" disabled={isBusy.value}>
          <Icon name="check" />{" "}
          {isBusy.value ? `Checked ${checked.value.toLocaleString("en")} entries…` : "Verify the trail"}
        </button>
      </form>
      <div role="status">{result.value !== undefined && <Result result={result.value} />}</div>
    </Section>
  );
}

function Result({ result }: { readonly result: AuditVerification }): JSX.Element {
  const { entries, hash, faults, faultCount, isExpectedFound } = result;
  const isIntact = faultCount === 0 && isExpectedFound !== false;
  return (
    <div class="stack verification">
      <p>
        <Badge tone={isIntact ? "good" : "bad"}>{isIntact ? "intact" : "not intact"}</Badge>{" "}
        {entries === 1 ? "1 entry was checked." : `${entries.toLocaleString("en")} entries were checked.`}{" "}
        {faultCount > 0 && `${faultCount.toLocaleString("en")} were changed, removed or moved.`}
        {isExpectedFound === true && "The noted hash is in the trail."}
        {isExpectedFound === false && "The noted hash is not in the trail: entries were removed or replaced."}
      </p>
      {faults.length > 0 && (
        <ul class="quiet">
          {faults.slice(0, 20).map(({ sequence, fault }) => (
            <li key={`${sequence} ${fault}`}>
              Entry {sequence}: {fault}
            </li>
          ))}
        </ul>
      )}
      {hash !== null && (
        <p class="hash">
          <span class="quiet">Last hash; note it elsewhere, to find out later whether entries were removed:</span>{" "}
          <code>{hash}</code> <CopyButton text={hash} what="hash" />
        </p>
      )}
    </div>
  );
}
