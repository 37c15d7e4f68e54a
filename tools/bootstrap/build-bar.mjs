/** How far a build is, read from what nx prints. */
export class BuildBar {
  #interactive;
  #printed = 0;
  #drawn = false;

  constructor(interactive) {
    this.#interactive = interactive;
  }

  update(output) {
    const tasks = output.split(/^> nx run /m).slice(1);
    if (!this.#interactive) {
      // What the cache gives back is printed again, but takes no time: not worth a line.
      const lines = tasks
        .filter((task) => !/^.*\[.*cache\]/.test(task))
        .flatMap((task) => task.match(/^(wasm|bundle): .*\n/gm) ?? []);
      for (const line of lines.slice(this.#printed)) process.stderr.write(line);
      this.#printed = lines.length;
      return;
    }
    const total = output.match(/^- @polyvisor\//gm)?.length ?? 0;
    if (total === 0) return;
    const done = tasks.length;
    const width = 30;
    const filled = Math.min(width, Math.round((done / total) * width));
    process.stderr.write(
      `\r\x1b[Kbuilding [${'='.repeat(filled)}${' '.repeat(width - filled)}] ${done}/${total}`,
    );
    this.#drawn = true;
  }

  end() {
    if (this.#drawn) process.stderr.write('\r\x1b[K');
  }
}
