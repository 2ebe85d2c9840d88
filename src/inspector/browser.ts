/** Opens a link in the default browser, without showing its token to other users in the list of processes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const COMMANDS: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

/** Through a file that only this user can read. Returns a function that deletes it. Never throws: the link is printed as well. */
export function openInBrowser(url: string): () => void {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), "checkpoint-inspector-"));
    open(writePage(folder, url));
  } catch {
    // There is no browser here, or no folder for temporary files.
  }
  return () => remove(folder);
}

function writePage(folder: string, url: string): string {
  const file = join(folder, "open.html");
  const html = `<!doctype html><meta http-equiv="refresh" content="0;url=${url}"><title>Inspector</title>`;
  writeFileSync(file, html, { mode: 0o600 });
  return file;
}

function open(file: string): void {
  const command = COMMANDS[process.platform] ?? ["xdg-open"];
  Bun.spawn([...command, pathToFileURL(file).href], { stdio: ["ignore", "ignore", "ignore"] }).unref();
}

function remove(folder: string | undefined): void {
  try {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  } catch {
    // The system clears its folder of temporary files.
  }
}
