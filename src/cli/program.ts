/** The program: its commands, its version, and what it says about a command line that it does not understand. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import manifest from "../../package.json" with { type: "json" };
import type { Cli, CommonOptions } from "./cli.js";
import { PROGRAM } from "./command.js";
import { COMMANDS } from "./commands/index.js";
import { linesOf } from "./text.js";

const NAMING = `
A SESSION is an id, its unique beginning or end, or a title. A CHECKPOINT is an id, its unique beginning or end,
SESSION:v7 (SESSION:v7:NAMESPACE in a namespace), or SESSION@latest.

Commands that read leave the file as it is. Commands that change it ask first; --yes answers.
Exit codes: 0 done, 1 failed or problems found, 2 usage.

Examples:
  ${PROGRAM} sessions runs.db
  ${PROGRAM} show runs.db "Security scan"
  ${PROGRAM} checkpoint runs.db "Security scan@latest" --full
  ${PROGRAM} backup runs.db backup.db`;

/** @param named The first word of the command line: if it is a command, no other needs to be loaded. */
export async function programFor(cli: Cli, named: string | undefined): Promise<Command> {
  const program = new Command(PROGRAM)
    .description("Look at and maintain a file of @obsku/checkpoint-sqlite.")
    .version(manifest.version, "-V, --version")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", NAMING)
    .exitOverride()
    .configureOutput({ outputError: (text, print) => print(linesOf(text).join("\n")) })
    .hook("preAction", (_, command) => {
      cli.configure(commonOptionsOf(command));
    });
  for (const load of commandsFor(named)) {
    const command = (await load())(cli);
    command.copyInheritedSettings(program).showHelpAfterError(`(${PROGRAM} ${command.name()} --help)`);
    program.addCommand(command);
  }
  const hint = named?.startsWith("-") === true ? "; options follow the command" : "";
  return program.showHelpAfterError(`(${PROGRAM} --help${hint})`);
}

/** Asked for the help of a command that there is not, the library shows the program's help and no error. */
export function knownWords(argv: readonly string[]): string[] {
  const [first, second] = argv;
  const named = first === "help" ? second : first;
  const isUnknown = named !== undefined && /^(?!help$)[^-]/.test(named) && !Object.hasOwn(COMMANDS, named);
  return isUnknown ? [named] : [...argv];
}

function commonOptionsOf(command: CommandUnknownOpts): CommonOptions {
  const { json, debug, pager, busyTimeout } = command.opts();
  return {
    isJson: json === true,
    isDebugging: debug === true,
    usesPager: pager !== false,
    busyTimeout: typeof busyTimeout === "number" ? busyTimeout : undefined,
  };
}

/** Completion lists all commands; so do the help and the suggestions for an unknown one. */
function commandsFor(named = ""): (typeof COMMANDS)[string][] {
  const load = Object.hasOwn(COMMANDS, named) ? COMMANDS[named] : undefined;
  return load === undefined || named === "completion" ? Object.values(COMMANDS) : [load];
}
