import type { InterruptLine } from '@polyvisor/contracts';

/** An interrupt line that remembers. */
export class FakeLine implements InterruptLine {
  level = false;
  /** Changes from low to high. */
  rises = 0;

  set(level: boolean): void {
    if (level && !this.level) this.rises++;
    this.level = level;
  }
}
