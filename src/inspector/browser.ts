/** Opens a link in the default browser, without showing its token to other users in the list of processes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const COMMANDS: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

/** Through a file that only this user can read. Returns a function that deletes it. */
export function openInBrowser(url: string): () => void {
  const folder = mkdtempSync(join(tmpdir(), "checkpoint-inspector-"));
  const file = join(folder, "open.html");
  writeFileSync(
    file,
    `<!doctype html><meta http-equiv="refresh" content="0;url=${url}"><title>Inspector</title>`,
    {
      mode: 0o600,
    },
  );
  try {
    const command = COMMANDS[process.platform] ?? ["xdg-open"];
    Bun.spawn([...command, pathToFileURL(file).href], { stdio: ["ignore", "ignore", "ignore"] }).unref();
  } catch {
    // There is no browser here; the link is printed as well.
  }
  return () => rmSync(folder, { recursive: true, force: true });
}
