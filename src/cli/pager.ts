/** Shows long output in the reader's pager. */
import type { Environment } from "./terminal.js";

/** The command of `$PAGER`; `less` if it is not set and there is one; `undefined`: none. */
export function pagerCommand(environment: Environment = process.env): string | undefined {
  const { PAGER } = environment;
  if (PAGER !== undefined) {
    return PAGER.trim() === "" || PAGER.trim() === "cat" ? undefined : PAGER;
  }
  return Bun.which("less") === null ? undefined : "less";
}

/** As shells have it for a command that is not executable, or not found. */
const NOT_STARTED = [126, 127];

/** Resolves when the reader has left the pager: to `false` if there is no such command. */
export async function page(text: string, command: string): Promise<boolean> {
  const child = Bun.spawn(["sh", "-c", command], {
    stdin: new Blob([text]),
    stdout: "inherit",
    stderr: "inherit",
    // As git does: less ends if the text fits, keeps colours, and leaves the text on the screen.
    env: { LESS: "FRX", ...process.env },
  });
  return !NOT_STARTED.includes(await child.exited);
}
