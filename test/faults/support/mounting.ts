/** Small file systems, to be filled. */

export function mount(folder: string, options: string): boolean {
  const command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder];
  return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).success;
}

/** Why none can be mounted. */
export function missingMount(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0 || Bun.which("mount") === null) {
    return "needs Linux, root and mount";
  }
  return Bun.spawnSync(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], {
    stdout: "ignore",
    stderr: "ignore",
  }).success
    ? undefined
    : "may not mount a tmpfs";
}
