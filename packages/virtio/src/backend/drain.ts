import type { QueueElement } from '../queue/element.ts';
import type { VirtioHost } from './virtio-backend.ts';

/**
 * Serves a queue of requests that are done at once, and interrupts once for all of them. Leaves the rest for
 * a later task after a queue's size of requests, however fast the guest adds new ones.
 * @param serve does one request and tells how many bytes it wrote.
 */
export function drain(host: VirtioHost, index: number, serve: (element: QueueElement) => number): void {
  const queue = host.queue(index);
  if (queue === undefined) return;
  for (let budget = queue.size; budget > 0; budget--) {
    const element = queue.pop();
    if (element === undefined) {
      queue.signal();
      return;
    }
    queue.push(element, serve(element));
  }
  queue.signal();
  host.again(index);
}
