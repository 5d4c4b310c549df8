import { effect } from "@preact/signals";
import { render } from "preact";
import { keepSignedIn, loadFirstViewer } from "./api/viewer.ts";
import { listenToKeys } from "./keyboard/keys.ts";
import { App } from "./layout/app.tsx";
import { closeMenus } from "./layout/menus.ts";
import { theme } from "./preferences.ts";
import { followLinks } from "./router.ts";
import { replaceInvalidLanguage } from "./valid-language.ts";

effect(() => {
  const root = document.documentElement;
  if (theme.value === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme.value;
});
// Before a page with a chart is loaded.
replaceInvalidLanguage();
followLinks();
listenToKeys();
closeMenus();
keepSignedIn();
void loadFirstViewer();
const root = document.getElementById("root");
if (root) render(<App />, root);
