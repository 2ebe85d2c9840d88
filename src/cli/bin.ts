#!/usr/bin/env node
/**
 * The launcher of `checkpoint-sqlite`: loads the program under Bun; under Node it starts `bun` with it.
 *
 * The shebang names node because npm and npx start a bin with it, and Bun does so too unless `--bun` is given. Nothing here
 * may import what only Bun has.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

/** As shells have it for a command that is not found. */
const NO_BUN = 127;

/** As shells have it for a process that a signal ended: 128 and the signal's number. */
const SIGNALLED = 128;

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

if (process.versions.bun === undefined) {
  startBun();
} else {
  await run();
}

async function run(): Promise<void> {
  try {
    const { main } = await import("./main.js");
    await main(process.argv.slice(2));
  } catch (error) {
    // Loading fails if this Bun is too old, and the message says so.
    fail(error instanceof Error ? error.message : String(error));
  }
}

function startBun(): void {
  const program = fileURLToPath(import.meta.url);
  // Not spawnSync: with it a SIGTERM ends this process and leaves the program running.
  const child = spawn("bun", [program, ...process.argv.slice(2)], { stdio: "inherit" });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of FORWARDED) {
    process.on(signal, forward);
  }
  child.on("error", (error) => {
    const isMissing = "code" in error && error.code === "ENOENT";
    fail(
      isMissing
        ? "checkpoint-sqlite needs Bun 1.2.23 or later, which is not on the PATH: install it with `npm install --global bun`, or see https://bun.sh."
        : `Bun could not be started: ${error.message}.`,
    );
  });
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : SIGNALLED + constants.signals[signal];
  });
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = NO_BUN;
}
