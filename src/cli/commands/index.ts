/** The commands in the order of the help. A new one is a file here, and one line in this list. */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.js";
import { sessionsCommand } from "./sessions.js";

export const COMMANDS: readonly ((cli: Cli) => CommandUnknownOpts)[] = [sessionsCommand];
