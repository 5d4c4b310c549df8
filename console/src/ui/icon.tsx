import type { JSX } from "preact";

/** The lines of each icon, on a field of 24 by 24. */
const icons = {
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.3 15.3 20 20",
  overview: "M4 20V10M10 20V4M16 20v-7M21 20H3",
  live: "M12 13.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM8 16a5.7 5.7 0 0 1 0-8M16 8a5.7 5.7 0 0 1 0 8M5 19a9.9 9.9 0 0 1 0-14M19 5a9.9 9.9 0 0 1 0 14",
  webhook:
    "M9.5 12.5 6 18.5M12 8.5l3.2 5.5M8.5 17h7M6 18.5a2 2 0 1 0 0 .1M18 18.5a2 2 0 1 0 0 .1M12 6.5a2 2 0 1 0 0 .1",
  key: "M8 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM11 12l8-8M16 7l3 3",
  audit: "M7 3h8l4 4v14H7zM10 11h6M10 15h6M4 6v15h11",
  settings:
    "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  help: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5a2.6 2.6 0 1 1 3.7 2.4c-.8.4-1.2.9-1.2 1.8M12 17v.1",
  session: "M4 6h16M4 12h10M4 18h13",
  customer: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0",
  "sign-in": "M13 4h6v16h-6M4 12h10M10.5 8.5 14 12l-3.5 3.5",
  "sign-out": "M11 4H5v16h6M9 12h11M16.5 8.5 20 12l-3.5 3.5",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 12.5 10 17l9-10",
  alert: "M12 4 2.8 20h18.4zM12 10v4.5M12 17.3v.1",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.5M12 7.6v.1",
  previous: "M14.5 6 8.5 12l6 6",
  next: "M9.5 6l6 6-6 6",
  down: "M6 9.5l6 6 6-6",
  refresh: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4h-4",
  pause: "M8.5 5v14M15.5 5v14",
  play: "M7 4.5v15l12-7.5z",
  download: "M12 4v11M7.5 11 12 15.5l4.5-4.5M4 20h16",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  stop: "M7 7h10v10H7z",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17",
  columns: "M4 5h16v14H4zM9.3 5v14M14.6 5v14",
  filter: "M4 6h16M7 12h10M10 18h4",
  sun: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  system: "M3.5 5h17v11h-17zM9 20h6M12 16v4",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5.3l3.5 2",
  plus: "M12 5v14M5 12h14",
  send: "M4 12 20 4l-4 16-4.5-6.5zM11.5 13.5 20 4",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
} as const;

/** The name of an icon. */
export type IconName = keyof typeof icons;

export interface IconProps {
  readonly name: IconName;
  /** Name for screen readers; without one the icon is decoration beside a text. */
  readonly label?: string | undefined;
}

/** An icon in the colour of its text. */
export function Icon({ name, label }: IconProps): JSX.Element {
  const naming = label === undefined ? { "aria-hidden": true as const } : { role: "img" as const, "aria-label": label };
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" focusable="false" {...naming}>
      <path d={icons[name]} />
    </svg>
  );
}
