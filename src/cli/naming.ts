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
import { PROGRAM } from "./command.js";
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
  return only(found, {
    missing: `No session has the id or title ${shown(name)}: list them with "${PROGRAM} sessions", by part of a title with --title.`,
    several: `${shown(name)} names ${count(found)} sessions: write more of the id.`,
    line: sessionLine,
  });
}

/** Each session once. */
export async function sessionsNamed(
  cli: Cli,
  file: string,
  names: readonly string[],
): Promise<FoundSession[]> {
  const sessions = new Map<string, FoundSession>();
  for (const name of names) {
    const session = await sessionNamed(cli, file, name);
    sessions.set(session.id, session);
  }
  return [...sessions.values()];
}

/** @throws {CommandFailure} if there is none, or several. */
export async function checkpointNamed(cli: Cli, file: string, name: string): Promise<string> {
  const version = /^(.+):v(\d+)(?::(.*))?$/s.exec(name);
  if (version !== null) {
    return ofVersion(cli, file, name, version);
  }
  const latest = /^(.+)@latest(?::(.*))?$/s.exec(name);
  if (latest !== null) {
    const [, session = "", namespace] = latest;
    return latestOf(cli, file, session, namespace);
  }
  const found = await cli.longRead(file, (options) => findCheckpoints(file, name, options));
  if (found.length === 0) {
    await refuseSession(cli, file, name);
  }
  return only(found, {
    missing: missingCheckpoint(name),
    several: `${shown(name)} names ${count(found)} checkpoints: write more of the id.`,
    line: checkpointLine,
  }).id;
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
  return only(wanted, {
    missing: missingCheckpoint(name),
    several: `${shown(name)} names ${count(wanted)} checkpoints: write the namespace too.`,
    line: (one) => `${session}:v${version}:${one.namespace}`,
  }).id;
}

/** @throws {CommandFailure} if the name is not one session's, or it has no checkpoint. */
export async function latestOf(
  cli: Cli,
  file: string,
  session: string,
  namespace: string | undefined,
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

interface Choice<T> {
  /** The message if there is none. */
  missing: string;
  /** The message if there are several; their lines follow. */
  several: string;
  line: (candidate: T) => string;
}

function only<T>(found: readonly T[], { missing, several, line }: Choice<T>): T {
  const [first, ...others] = found;
  if (first === undefined) {
    throw new CommandFailure(missing);
  }
  if (others.length > 0) {
    const lines = found.slice(0, MOST_SHOWN).map((candidate) => `  ${oneLine(line(candidate))}`);
    throw new CommandFailure([several, ...lines].join("\n"));
  }
  return first;
}

function missingCheckpoint(name: string): string {
  return `There is no checkpoint ${shown(name)}: list those of a session with "${PROGRAM} show".`;
}

function count(found: readonly unknown[]): string {
  return found.length > MOST_SHOWN ? `more than ${MOST_SHOWN}` : String(found.length);
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
