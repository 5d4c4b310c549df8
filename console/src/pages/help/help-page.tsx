import type { JSX } from "preact";
import { KeyList } from "../../keyboard/key-list.tsx";
import { PageHeader, Section } from "../../ui/page.tsx";

const words: readonly (readonly [word: string, meaning: string])[] = [
  ["Session", "One visitor’s stay, from the first request until it expires or is ended."],
  ["Handle", "The first 24 characters of a session id. It names the session and opens nothing, so it may be shared."],
  ["Anonymous", "Nobody knows yet who the visitor is."],
  ["Recognized", "The session has a customer or an agent."],
  ["Customer", "The person whom your applications know by this id."],
  ["Agent", "The colleague who works in the session."],
  ["Visit", "One visit of one person. It has one live session at a time."],
  ["Global visit", "Visits to several sites that belong together."],
  ["Timeline", "All requests that were recorded in a session, and what happened to it, in order."],
  ["Live", "The session can be used."],
  ["Expired", "Nobody used the session for its idle time, or its total life is over."],
  ["Ended", "Somebody closed the session before it expired: the visitor, or a colleague."],
  ["Rotated", "The session got a new id, usually at sign-in; the old id is worthless. The handle stays."],
  ["Label", "A text by which people recognize a session, such as “Firefox on Windows”."],
  ["Profile", "A named pair of lifetimes that the session follows."],
];

/** The page with the words and the keys of the console. */
export function HelpPage(): JSX.Element {
  return (
    <>
      <PageHeader title="Help" lead="The words that the console uses, and the keys that make it quick." />
      <Section title="Words">
        <dl class="glossary">
          {words.map(([word, meaning]) => (
            <div key={word}>
              <dt>{word}</dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
      </Section>
      <Section title="Keys">
        <KeyList />
      </Section>
    </>
  );
}
