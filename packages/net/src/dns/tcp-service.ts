import type { HostTcpEvents, HostTcpSocket } from '../host-sockets.ts';
import type { Scheduler } from '../scheduler.ts';
import { DnsFramer, type DnsRelay, framed } from './relay.ts';

/** Queries of one connection that wait for their responses. */
const IN_FLIGHT = 16;

/** The far end of a guest's DNS connection: looks like a host socket, and is the relay. */
export function openDnsTcp(relay: DnsRelay, scheduler: Scheduler, events: HostTcpEvents): HostTcpSocket {
  const framer = new DnsFramer();
  let closed = false;
  let inFlight = 0;
  let ended = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    events.closed();
  };
  const finish = (): void => {
    if (!ended || inFlight > 0 || closed) return;
    events.ended();
    close();
  };
  const take = (message: Uint8Array): void => {
    if (inFlight >= IN_FLIGHT) return;
    const accepted = relay.handle(message, 'tcp', (response) => {
      inFlight--;
      if (closed) return;
      events.data(framed(response));
      finish();
    });
    if (accepted) inFlight++;
  };
  scheduler.defer(() => {
    if (!closed) events.connected();
  });
  return {
    write(bytes, written) {
      scheduler.defer(() => {
        if (closed) return;
        const good = framer.add(bytes, take);
        written();
        if (!good) {
          events.ended();
          close();
        }
      });
    },
    end() {
      scheduler.defer(() => {
        ended = true;
        finish();
      });
    },
    reset() {
      closed = true;
    },
    pause() {},
    resume() {},
  };
}
