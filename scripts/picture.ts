/** `npm run picture`: runs the demo in a pseudo-terminal and draws its output into docs/img/demo.svg. Needs the pinned Bun. */
import { join } from "node:path";
import { shownLines } from "./picture/chapters.js";
import { record, textOf } from "./picture/recording.js";
import { terminalSvg } from "./picture/terminal-svg.js";

const ROOT = join(import.meta.dir, "..");
const TITLE = "npm run demo: a run is killed, a new process resumes it, and a fork ends differently";

const lines = await record([process.execPath, join(ROOT, "examples/resume-after-crash.ts")], 120);
const svg = terminalSvg(TITLE, "npm run demo", shownLines(lines, textOf));
await Bun.write(join(ROOT, "docs/img/demo.svg"), svg);
console.log(`docs/img/demo.svg: ${svg.length} bytes`);
