import { PolyvisorError } from '@polyvisor/contracts';
import { OPERATIONS_LIMIT, WINDOW_BYTES } from '../protocol.ts';

/** What is under way of one attachment, held to the limits of a volume. */
export class OperationWindow {
  count = 0;
  #bytes = 0;
  #idle: (() => void)[] = [];

  /** @returns why it is refused. */
  begin(bytes: number): PolyvisorError | undefined {
    if (this.count >= OPERATIONS_LIMIT || this.#bytes + bytes > WINDOW_BYTES) {
      return new PolyvisorError('limit', {
        what: 'more under way than allowed',
        limit: `${OPERATIONS_LIMIT} operations, ${WINDOW_BYTES} bytes`,
      });
    }
    this.count++;
    this.#bytes += bytes;
    return undefined;
  }

  end(bytes: number): void {
    this.count--;
    this.#bytes -= bytes;
    if (this.count > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  idle(): Promise<void> {
    if (this.count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
