/**
 * Names of sessions and checkpoints on the command line.
 *
 *     SESSION               an id, its unique beginning or end, or a title
 *     CHECKPOINT            an id, or its unique beginning or end
 *     SESSION:v7            the session's checkpoint of version 7
 *     SESSION:v7:NAMESPACE  the one in this namespace
 *     SESSION@latest        the checkpoint that a run would resume from; with :NAMESPACE, the latest in it
 */
import {
  type FoundCheckpoint,
  type FoundSession,
  findCheckpoints,
  findSessions,
  findVersions,
} from "../maintenance/names.js";
import type { Cli } from "./cli.js";
import { CommandFailure } from "./failures.js";
import { time } from "./format.js";
import { oneLine } from "./text.js";

/** How many candidates of an ambiguous name are listed. */
const MOST_SHOWN = 10;

/** The help of every command that takes a checkpoint. */
export const CHECKPOINT_HELP = "an id, its beginning or end, SESSION:v7 or SESSION@latest";
export const SESSION_HELP = "an id, its beginning or end, or a title";

/** @throws {CommandFailure} if there is none, or several. */
export async function sessionNamed(cli: Cli, file: string, name: string): Promise<FoundSession> {
  const found = await cli.longRead(file, (options) => findSessions(file, name, options));
  return only(name, "session", found, sessionLine);
}

/** @throws {CommandFailure} if there is none, or several. */
export async function checkpointNamed(cli: Cli, file: string, name: string): Promise<string> {
  const version = /^(.+):v(\d+)(?::(.*))?$/s.exec(name);
  if (version !== null) {
    return ofVersion(cli, file, name, version);
  }
  const latest = /^(.+)@latest(?::(.*))?$/s.exec(name);
  if (latest !== null) {
    return latestOf(cli, file, latest);
  }
  const found = await cli.longRead(file, (options) => findCheckpoints(file, name, options));
  if (found.length === 0) {
    await refuseSession(cli, file, name);
  }
  return only(name, "checkpoint", found, checkpointLine).id;
}

async function ofVersion(
  cli: Cli,
  file: string,
  name: string,
  [, session = "", version = "", namespace]: RegExpExecArray,
): Promise<string> {
  const { id } = await sessionNamed(cli, file, session);
  const found = await cli.longRead(file, (options) => findVersions(file, id, Number(version), options));
  const wanted = namespace === undefined ? found : found.filter((one) => one.namespace === namespace);
  return only(name, "checkpoint", wanted, (one) => `${session}:v${version}:${one.namespace}`).id;
}

async function latestOf(
  cli: Cli,
  file: string,
  [, session = "", namespace]: RegExpExecArray,
): Promise<string> {
  const { id } = await sessionNamed(cli, file, session);
  const latest = await cli.read(file, (store) => store.getLatestCheckpoint(id, namespace));
  if (latest === null) {
    throw new CommandFailure(
      `The session ${shown(session)} has no checkpoint${namespace === undefined ? "" : ` in the namespace ${shown(namespace)}`}.`,
    );
  }
  return latest.id;
}

/** Says what to write if a session was named in the place of a checkpoint. */
async function refuseSession(cli: Cli, file: string, name: string): Promise<void> {
  const sessions = await cli.longRead(file, (options) => findSessions(file, name, options));
  if (sessions.length > 0) {
    throw new CommandFailure(
      `${shown(name)} names a session, and a checkpoint is needed: write ${shown(`${name}@latest`)} or ${shown(`${name}:v1`)}.`,
    );
  }
}

function only<T>(name: string, kind: string, found: readonly T[], line: (candidate: T) => string): T {
  const [first, ...others] = found;
  if (first === undefined) {
    throw new CommandFailure(
      `No ${kind} is called ${shown(name)}: the file's ${kind}s have other ids${kind === "session" ? " and titles" : ""}.`,
    );
  }
  if (others.length > 0) {
    const many = found.length > MOST_SHOWN ? `more than ${MOST_SHOWN}` : String(found.length);
    throw new CommandFailure(
      [
        `${shown(name)} names ${many} ${kind}s: write more of the id.`,
        ...found.slice(0, MOST_SHOWN).map((candidate) => `  ${oneLine(line(candidate))}`),
      ].join("\n"),
    );
  }
  return first;
}

function sessionLine({ id, title, updatedAt }: FoundSession): string {
  return `${id}  ${time(updatedAt)}  ${title ?? ""}`.trimEnd();
}

function checkpointLine({ id, sessionId, version, namespace, createdAt }: FoundCheckpoint): string {
  return `${id}  ${time(createdAt)}  v${version} of ${sessionId} ${namespace}`.trimEnd();
}

function shown(name: string): string {
  return oneLine(JSON.stringify(name));
}
