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

/** Resolves when the reader has left the pager. */
export async function page(text: string, command: string): Promise<void> {
  const child = Bun.spawn(["sh", "-c", command], {
    stdin: new Blob([text]),
    stdout: "inherit",
    stderr: "inherit",
    // As git does: less ends if the text fits, keeps colours, and leaves the text on the screen.
    env: { LESS: "FRX", ...process.env },
  });
  await child.exited;
}
