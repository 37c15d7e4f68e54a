/** Port space of synthetic guests: answers reads from a running number and keeps a log to compare. */
export class Ports {
  /** One line per access, in order. */
  readonly log: string[] = [];
  private count = 0;

  read(port: number): number {
    this.count = (Math.imul(this.count, 1664525) + 1013904223 + port) | 0;
    this.log.push(`in ${port}`);
    return this.count >>> 0;
  }
  write(port: number, value: number): void {
    this.log.push(`out ${port} ${value >>> 0}`);
  }
}
