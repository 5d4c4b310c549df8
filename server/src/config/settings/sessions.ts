import { z } from "zod";
import { duration, listOf, refusing, word } from "../kinds.ts";
import { type Profile, parseProfile, repeatedProfiles } from "../profiles.ts";
import type { Setting } from "../setting.ts";

const lifetime = duration("1s", "3650d", ", such as 30m");

/** The settings of lifetimes, and of when a session gets a new id. */
export const sessionsSettings = {
  anonymousIdle: {
    ...lifetime,
    default: "30m",
    description: "Time without use after which an anonymous session expires",
  },
  anonymousLifetime: {
    ...lifetime,
    default: "24h",
    description: "Longest life of an anonymous session, however often it is used",
  },
  recognizedIdle: {
    ...lifetime,
    default: "30m",
    description: "Time without use after which a recognized session expires",
  },
  recognizedLifetime: {
    ...lifetime,
    default: "24h",
    description: "Longest life of a recognized session, at least that of an anonymous one",
  },
  profiles: {
    schema: listOf(refusing(z.string(), parseProfile)).superRefine((texts, context) => {
      for (const name of repeatedProfiles(texts)) {
        context.addIssue({ code: "custom", message: `the profile ${name} is in it twice` });
      }
    }),
    allowed: "profiles such as remember=30d/90d (a name, the idle time and the lifetime), each name once",
    placeholder: "profile",
    parse: (profiles: string[]) => new Map(profiles.map((profile) => parseProfile(profile) as Profile)),
    isList: true,
    default: "",
    description:
      "Lifetimes that a session can be given by name, such as remember=30d/90d: it expires 30 days after its last use, and 90 days after its creation at the latest",
  },
  rotateOnRecognition: {
    ...word("when", ["asked", "always"]),
    default: "asked",
    description:
      "When an update that brings the first customer, or the first agent of an anonymous session, gives the session a new id: asked only with rotate in its body, always every time; always protects against session fixation and is recommended for new installations",
  },
  rotationGrace: {
    ...duration("0s", "60s"),
    default: "10s",
    description:
      "Time for which an id that was replaced is still answered as the anonymous session that it was, so that requests under way do not get a new session; 0s for none",
  },
} as const satisfies Record<string, Setting>;
