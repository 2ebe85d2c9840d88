/** Scripts that complete commands and options in a shell; arguments complete as paths of files. */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { PROGRAM } from "./command.js";

export const SHELLS = ["bash", "zsh", "fish"] as const;

export function completionScript(shell: (typeof SHELLS)[number], program: CommandUnknownOpts): string[] {
  const commands = [...program.commands.map(completed), HELP];
  return { bash, zsh, fish }[shell](commands);
}

interface CompletedCommand {
  name: string;
  summary: string;
  options: { flags: string[]; summary: string }[];
}

function completed(command: CommandUnknownOpts): CompletedCommand {
  const options = command.createHelp().visibleOptions(command);
  return {
    name: command.name(),
    summary: command.description(),
    options: options.map(({ short, long, description }) => ({
      flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
      summary: description,
    })),
  };
}

/** The library's own. */
const HELP: CompletedCommand = { name: "help", summary: "show the help of a command", options: [] };

function flagsOf({ options }: CompletedCommand): string[] {
  return options.flatMap(({ flags }) => flags);
}

function bash(commands: readonly CompletedCommand[]): string[] {
  return [
    "_checkpoint_sqlite() {",
    // Bash passes the program, the word and the word before it.
    '  local word="$2" words=""',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    words="${commands.map(({ name }) => name).join(" ")}"`,
    '  elif [[ "$word" == -* ]]; then',
    `    case "\${COMP_WORDS[1]}" in`,
    ...commands.map((command) => `      ${command.name}) words="${flagsOf(command).join(" ")}" ;;`),
    "    esac",
    "  fi",
    '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
    "}",
    `complete -o default -F _checkpoint_sqlite ${PROGRAM}`,
  ];
}

function zsh(commands: readonly CompletedCommand[]): string[] {
  return [
    `#compdef ${PROGRAM}`,
    "_checkpoint_sqlite() {",
    "  local -a entries",
    "  if (( CURRENT == 2 )); then",
    "    entries=(",
    ...commands.map(({ name, summary }) => `      ${quoted(`${name}:${zshText(summary)}`)}`),
    "    )",
    "    _describe command entries",
    '  elif [[ "$words[CURRENT]" == -* ]]; then',
    '    case "$words[2]" in',
    ...commands.flatMap(({ name, options }) => [
      `      ${name}) entries=(`,
      ...options.flatMap(({ flags, summary }) =>
        flags.map((flag) => `        ${quoted(`${flag}:${zshText(summary)}`)}`),
      ),
      "      ) ;;",
    ]),
    "    esac",
    "    _describe option entries",
    "  else",
    "    _files",
    "  fi",
    "}",
    // Loaded by compinit the file is the function's body; sourced it registers it.
    `if [[ "$funcstack[1]" == "_checkpoint-sqlite" ]]; then _checkpoint_sqlite; else compdef _checkpoint_sqlite ${PROGRAM}; fi`,
  ];
}

function fish(commands: readonly CompletedCommand[]): string[] {
  return commands.flatMap(({ name, summary, options }) => [
    `complete -c ${PROGRAM} -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    ...options.map(({ flags, summary: text }) => {
      const names = flags.map((flag) =>
        flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      );
      return `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}' ${names.join(" ")} -d ${quoted(text)}`;
    }),
  ]);
}

function zshText(text: string): string {
  return text.replaceAll(":", "\\:");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
