import { Argument } from "@commander-js/extra-typings";
import type { Cli } from "../cli.js";
import { newCommand } from "../command.js";
import { completionScript, SHELLS } from "../completion.js";

export function completionCommand(cli: Cli) {
  return newCommand(
    "completion",
    "print a script that completes commands and options in a shell",
    "bash >> ~/.bashrc",
    "zsh > ~/.zfunc/_checkpoint-sqlite",
    "fish > ~/.config/fish/completions/checkpoint-sqlite.fish",
  )
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell, _, { parent }) => {
      for (const line of parent === null ? [] : completionScript(shell, parent)) {
        cli.output.line(line);
      }
    });
}
