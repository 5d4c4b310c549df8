import { render } from "preact";
import { loadViewer } from "./api/viewer.ts";
import { listenToKeys } from "./keyboard/keys.ts";
import { App } from "./layout/app.tsx";
import { followLinks } from "./router.ts";

followLinks();
listenToKeys();
void loadViewer();
const root = document.getElementById("root");
if (root) render(<App />, root);
